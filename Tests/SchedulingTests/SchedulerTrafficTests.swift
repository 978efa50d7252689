import Core
import TestSupport
import Testing

@testable import Scheduling

/// Random traffic against a model that does nothing but count.
@Suite struct SchedulerTrafficTests {
    /// A request as the naive model knows it.
    private struct Expected {
        var prompt: Int
        var max: Int
        var chains: ChainSelection
        var known: Int
        var computed = 0
        var isRunning = false
        var mayExpire: Bool

        var generated: Int { known - prompt }
    }

    private struct Traffic {
        var desk = Desk(running: 5, queued: 8, stepTokens: 24, poolBlocks: 12)
        var random: SeededGenerator
        var open: [RequestID: Expected] = [:]
        var made = 0
        var served = 0

        init(seed: UInt64) { random = SeededGenerator(seed: seed) }

        private mutating func pick(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }

        private mutating func selection() -> ChainSelection {
            let low = pick(1...4)
            return [.auto, .range(low...pick(low...4)), .fixed(low)][pick(0...2)]
        }

        private mutating func budget() -> LatencyBudget {
            switch pick(0...5) {
            case 0: LatencyBudget(whole: .milliseconds(pick(20...300)))
            case 1: LatencyBudget(firstToken: .milliseconds(pick(5...100)), perToken: .milliseconds(pick(2...20)))
            case 2: LatencyBudget(whole: .milliseconds(pick(1...50)), isBestEffort: true)
            default: .none
            }
        }

        mutating func arrive() {
            let id: RequestID = "r\(made)"
            made += 1
            let budget = budget()
            let wish = desk.request(
                id,
                prompt: pick(1...90),
                max: pick(1...60),
                chains: selection(),
                budget: budget,
                priority: pick(0...2),
                client: "client \(pick(0...2))",
                leader: pick(0...3) == 0 ? "r\(max(0, made - 2))" : nil
            )
            if pick(0...3) == 0 { desk.room.cached[id] = 16 * pick(0...2) }
            guard (try? desk.enqueue(wish)) != nil else { return }
            open[id] = Expected(
                prompt: wish.promptTokens,
                max: wish.maxTokens,
                chains: wish.chains,
                known: wish.promptTokens,
                mayExpire: budget.whole != nil && !budget.isBestEffort
            )
        }

        mutating func disturb() {
            guard let id = open.keys.sorted(by: { $0.number < $1.number }).randomElement(using: &random) else { return }
            if Bool.random(using: &random) {
                desk.remove(id)
                open[id] = nil
            } else {
                let change = RequestChange(chains: selection(), budget: budget(), received: desk.now)
                let isHere = desk.scheduler.change(id, to: change)
                #expect(isHere)
                open[id]?.chains = change.chains ?? .auto
                open[id]?.mayExpire = change.budget?.whole != nil && change.budget?.isBestEffort == false
            }
        }

        mutating func step() throws {
            let plan = desk.schedule()
            try check(plan)
            for id in plan.expired {
                #expect(open.removeValue(forKey: id)?.mayExpire == true)
                desk.finish(id, endedItself: false)
            }
            desk.run(plan)
            for part in plan.parts {
                open[part.id]?.computed += part.count
                guard part.logits == .last else { continue }
                open[part.id]?.known += 1
                guard let request = open[part.id], request.generated == request.max else { continue }
                desk.finish(part.id, endedItself: Bool.random(using: &random))
                open[part.id] = nil
                served += 1
            }
            // Memory is held by those that run, and by nobody else.
            #expect(desk.room.used <= desk.room.blocks)
            #expect(desk.room.held.keys.allSatisfy { open[$0]?.isRunning == true })
            #expect(desk.scheduler.runningCount == open.values.count { $0.isRunning })
            #expect(desk.scheduler.queuedCount == open.values.count { !$0.isRunning })
        }

        private mutating func check(_ plan: StepPlan) throws {
            for start in plan.started {
                let request = try #require(open[start.id])
                #expect(!request.isRunning && start.cachedTokens < request.known)
                #expect(!start.isResumed || request.known >= request.prompt)
                open[start.id]?.isRunning = true
                open[start.id]?.computed = start.cachedTokens
            }
            for id in plan.preempted {
                #expect(open[id]?.isRunning == true)
                open[id]?.isRunning = false
                open[id]?.computed = 0
            }
            #expect(plan.tokens <= 24 && plan.parts.count <= 5)
            #expect(Set(plan.parts.map(\.id)).count == plan.parts.count)
            for part in plan.parts {
                let request = try #require(open[part.id])
                #expect(request.isRunning && !plan.expired.contains(part.id))
                #expect(part.start == request.computed && part.count > 0)
                #expect(part.start + part.count <= request.known)
                #expect((part.logits == .last) == (part.start + part.count == request.known))
                #expect(request.chains.bounds(available: 4)?.contains(part.chains) == true)
            }
            // Nobody who decodes is left out of a step.
            let planned = Set(plan.parts.map(\.id))
            for (id, request) in open where request.isRunning && request.known - request.computed == 1 {
                #expect(planned.contains(id) || plan.expired.contains(id))
            }
        }
    }

    @Test(arguments: [UInt64(1), 2, 3, 4]) func everyTokenOnceAndInOrder(seed: UInt64) throws {
        var traffic = Traffic(seed: seed)
        for step in 0..<3_000 {
            if Int.random(in: 0..<5, using: &traffic.random) == 0 { traffic.arrive() }
            if Int.random(in: 0..<30, using: &traffic.random) == 0 { traffic.disturb() }
            try traffic.step()
            if step.isMultiple(of: 50) { traffic.desk.time += 0.02 }
        }
        var steps = 0
        while !traffic.open.isEmpty && steps < 5_000 {
            try traffic.step()
            steps += 1
        }
        #expect(traffic.open.isEmpty && traffic.desk.scheduler.isIdle)
        #expect(traffic.served > 150)
        #expect(traffic.desk.scheduler.preemptions > 5)
        #expect(traffic.desk.room.used == 0)
        // The whole pool is free again.
        try traffic.desk.enqueue(traffic.desk.request("whole", prompt: 12 * 16, max: 1))
        #expect(traffic.desk.schedule().started.count == 1)
    }
}
