import Core
import Testing

@testable import Scheduling

/// The pool runs dry: somebody gives way, and nothing of an answer is lost.
@Suite struct PreemptionTests {
    @Test func theLatestGivesWayAndGoesOnWhereItWas() throws {
        // Two requests of two blocks each grow into a third one; the pool has five.
        var desk = Desk(stepTokens: 64, poolBlocks: 5)
        try desk.enqueue(desk.request("first", prompt: 30, max: 12))
        try desk.enqueue(desk.request("second", prompt: 30, max: 12))
        var plan = desk.step()
        var steps = 0
        while plan.preempted.isEmpty && steps < 10 {
            plan = desk.step()
            steps += 1
        }
        #expect(plan.preempted == ["second"])
        #expect(plan.parts.map(\.id) == ["first"])
        #expect(desk.scheduler.preemptions == 1)
        let status = try #require(desk.scheduler.status(of: "second"))
        #expect(status.phase == .queued && status.generatedTokens > 0)

        // It waits until there is room, and not only for a block that is taken from it again.
        for _ in 0..<4 { #expect(desk.step().started.isEmpty) }
        desk.finish("first")
        plan = desk.schedule()
        #expect(plan.started == [.init(id: "second", cachedTokens: 0, isResumed: true)])
        #expect(plan.parts.map(\.count) == [30 + status.generatedTokens])
        #expect(plan.parts.map(\.logits) == [.last])
        desk.run(plan)
        #expect(desk.scheduler.status(of: "second")?.generatedTokens == status.generatedTokens + 1)
    }

    @Test func theLowestPriorityGivesWayBeforeTheLatest() throws {
        var desk = Desk(poolBlocks: 5)
        try desk.enqueue(desk.request("low", prompt: 30, max: 12, priority: 0))
        try desk.enqueue(desk.request("high", prompt: 30, max: 12, priority: 1))
        let served = desk.serve(["low": 12, "high": 12])
        #expect(desk.scheduler.preemptions >= 1)
        #expect(served.values.allSatisfy { $0.chains.count == 12 })
        let ends = ["high", "low"].map { served[$0]?.end ?? 0 }
        #expect(ends[0] < ends[1])
    }

    /// Many requests that outgrow a small pool all end, each with all of its tokens, without endless turns.
    @Test func everybodyEnds() throws {
        var desk = Desk(running: 4, poolBlocks: 8)
        var goals: [RequestID: Int] = [:]
        for index in 0..<20 {
            try desk.enqueue(desk.request("r\(index)", prompt: 10 + index, max: 60))
            goals["r\(index)"] = 60
        }
        let served = desk.serve(goals)
        #expect(served.count == 20 && served.values.allSatisfy { $0.chains.count == 60 })
        #expect(desk.scheduler.preemptions > 0 && desk.scheduler.preemptions < 80)
        #expect(desk.room.used == 0)
    }
}
