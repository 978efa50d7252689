import Core
import Scheduling
import TestSupport
import Testing

private let start = ContinuousClock.now

private func makeScheduler(
    running: Int = 4,
    queued: Int = 2,
    stepTokens: Int = 32,
    poolBlocks: Int = 100,
    chains: Int = 4
) -> Scheduler {
    Scheduler(
        limits: SchedulerLimits(
            running: running,
            queued: queued,
            stepTokens: stepTokens,
            poolBlocks: poolBlocks,
            blockTokens: 16,
            chains: chains
        )
    )
}

private func request(
    _ id: String,
    prompt: Int = 10,
    max: Int = 5,
    chains: ChainSelection = .auto,
    logprobs: Bool = false
) -> ScheduledRequest {
    .init(id: id, promptTokens: prompt, maxTokens: max, chains: chains, promptLogprobs: logprobs)
}

@Suite struct SchedulerTests {
    @Test func oneRequestFromPromptToLastToken() throws {
        var scheduler = makeScheduler()
        try scheduler.enqueue(request("a", prompt: 40, max: 3, chains: .fixed(2)))
        #expect(scheduler.plan().isEmpty)
        let admitted = scheduler.admit(now: start)
        #expect(admitted.map(\.id) == ["a"] && admitted[0].chains == 2 && admitted[0].reason == .requested)

        // 40 tokens in chunks of 32 and 8; only the chunk with the last token wants logits.
        var plan = scheduler.plan()
        #expect(plan.parts == [.init(id: "a", start: 0, count: 32, chains: 2, logits: .none)])
        scheduler.advance(plan)
        plan = scheduler.plan()
        #expect(plan.parts == [.init(id: "a", start: 32, count: 8, chains: 2, logits: .last)])
        scheduler.advance(plan)
        // Nothing to do until the sampled token is known.
        #expect(scheduler.plan().isEmpty)
        scheduler.appended("a")
        #expect(scheduler.plan().parts == [.init(id: "a", start: 40, count: 1, chains: 2, logits: .last)])
        let removeda = scheduler.remove("a")
        #expect(removeda)
        #expect(scheduler.isIdle)
    }

    @Test func decodesComeBeforePrefillsAndTheBudgetHolds() throws {
        var scheduler = makeScheduler(stepTokens: 8)
        try scheduler.enqueue(request("decoding", prompt: 4))
        _ = scheduler.admit(now: start)
        scheduler.advance(scheduler.plan())
        scheduler.appended("decoding")
        try scheduler.enqueue(request("b", prompt: 5))
        try scheduler.enqueue(request("c", prompt: 50))
        _ = scheduler.admit(now: start)
        let plan = scheduler.plan()
        #expect(plan.parts.map(\.id) == ["decoding", "b", "c"])
        #expect(plan.parts.map(\.count) == [1, 5, 2])
        #expect(plan.tokens == 8)
    }

    @Test func cachedTokensAreNotComputedAgain() throws {
        var scheduler = makeScheduler()
        try scheduler.enqueue(request("a", prompt: 20))
        _ = scheduler.admit(now: start)
        scheduler.setCached(19, for: "a")
        #expect(scheduler.plan().parts == [.init(id: "a", start: 19, count: 1, chains: 4, logits: .last)])
    }

    @Test func promptLogprobsWantEveryRow() throws {
        var scheduler = makeScheduler(stepTokens: 16)
        try scheduler.enqueue(request("a", prompt: 20, max: 0, logprobs: true))
        _ = scheduler.admit(now: start)
        #expect(scheduler.plan().parts == [.init(id: "a", start: 0, count: 16, chains: 4, logits: .all)])
        scheduler.advance(scheduler.plan())
        #expect(scheduler.plan().parts == [.init(id: "a", start: 16, count: 4, chains: 4, logits: .all)])
    }

    @Test func aPromptWithoutAnAnswerWantsNoLogits() throws {
        var scheduler = makeScheduler()
        try scheduler.enqueue(request("a", prompt: 8, max: 0))
        _ = scheduler.admit(now: start)
        #expect(scheduler.plan().parts.map(\.logits) == [.none])
    }

    @Test func chainsWithinTheClientsWishes() throws {
        var scheduler = makeScheduler(chains: 3)
        try scheduler.enqueue(request("auto"))
        try scheduler.enqueue(request("range", chains: .range(1...2)))
        try scheduler.enqueue(request("fixed", chains: .fixed(1)))
        let admitted = scheduler.admit(now: start)
        #expect(admitted.map(\.chains) == [3, 2, 1])
        #expect(admitted.map(\.reason) == [.unconstrained, .unconstrained, .requested])
    }

    @Test func aFullQueueRefusesWithAnEstimate() throws {
        var scheduler = makeScheduler(running: 1, queued: 1)
        try scheduler.enqueue(request("a"))
        try scheduler.enqueue(request("b"))
        #expect(throws: GenerationFailure.overloaded(retryAfter: 1)) { try scheduler.enqueue(request("c")) }
        _ = scheduler.admit(now: start)
        #expect(throws: GenerationFailure.self) { try scheduler.enqueue(request("c")) }
        scheduler.finish("a", now: start + .seconds(6))
        try scheduler.enqueue(request("c"))
        _ = scheduler.admit(now: start + .seconds(6))
        // What was cancelled teaches nothing about how long answers take.
        scheduler.remove("b")
        _ = scheduler.admit(now: start + .seconds(6))
        try scheduler.enqueue(request("waiting"))
        // One waits; a newcomer would be the second behind a six-second answer.
        #expect(throws: GenerationFailure.overloaded(retryAfter: 12)) { try scheduler.enqueue(request("d")) }
    }

    @Test func whatCanNeverFitIsRefusedAtOnce() throws {
        var scheduler = makeScheduler(poolBlocks: 2)
        // The last generated token needs no KV: 30 + 3 - 1 tokens are two blocks.
        try scheduler.enqueue(request("fits", prompt: 30, max: 3))
        #expect(throws: GenerationFailure.tooLarge(neededTokens: 33, poolTokens: 32)) {
            try scheduler.enqueue(request("big", prompt: 30, max: 4))
        }
    }

    @Test func blocksAreReservedForTheWorstCaseAndGivenBack() throws {
        var scheduler = makeScheduler(poolBlocks: 3)
        try scheduler.enqueue(request("a", prompt: 17, max: 1))
        try scheduler.enqueue(request("b", prompt: 17, max: 1))
        var admitted = scheduler.admit(now: start)
        #expect(admitted.map(\.id) == ["a"])
        #expect(scheduler.queuedCount == 1)
        scheduler.remove("a")
        admitted = scheduler.admit(now: start)
        #expect(admitted.map(\.id) == ["b"])
    }

    @Test func removalWhereverARequestIs() throws {
        var scheduler = makeScheduler(running: 1)
        try scheduler.enqueue(request("a"))
        try scheduler.enqueue(request("b"))
        _ = scheduler.admit(now: start)
        let removedb = scheduler.remove("b")
        #expect(removedb)
        let removeda = scheduler.remove("a")
        #expect(removeda)
        let again = scheduler.remove("a")
        #expect(!again)
        #expect(scheduler.isIdle)
    }

    /// Random traffic: every request gets exactly its tokens, in order, within the limits, and nothing leaks.
    @Test(arguments: [UInt64(1), 2, 3]) func randomTrafficServesEveryToken(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var scheduler = makeScheduler(running: 5, queued: 8, stepTokens: 24, poolBlocks: 12)
        var goals: [RequestID: (prompt: Int, max: Int)] = [:]
        var computed: [RequestID: Int] = [:]
        var generated: [RequestID: Int] = [:]
        var served = 0
        var next = 0
        for step in 0..<4_000 {
            if Int.random(in: 0..<4, using: &generator) == 0 && step < 3_000 {
                let wish = request(
                    "r\(next)",
                    prompt: .random(in: 1...90, using: &generator),
                    max: .random(in: 1...20, using: &generator)
                )
                next += 1
                if (try? scheduler.enqueue(wish)) != nil {
                    goals[wish.id] = (wish.promptTokens, wish.maxTokens)
                }
            }
            if Int.random(in: 0..<40, using: &generator) == 0, let victim = goals.keys.sorted().first {
                scheduler.remove(victim)
                goals[victim] = nil
            }
            _ = scheduler.admit(now: start)
            let plan = scheduler.plan()
            #expect(plan.tokens <= 24 && plan.parts.count <= 5)
            #expect(Set(plan.parts.map(\.id)).count == plan.parts.count)
            scheduler.advance(plan)
            for part in plan.parts {
                let goal = try #require(goals[part.id])
                #expect(part.start == computed[part.id, default: 0])
                computed[part.id] = part.start + part.count
                guard part.logits == .last else { continue }
                generated[part.id, default: 0] += 1
                #expect(part.start + part.count == goal.prompt + generated[part.id]! - 1)
                if generated[part.id] == goal.max {
                    scheduler.remove(part.id)
                    goals[part.id] = nil
                    served += 1
                } else {
                    scheduler.appended(part.id)
                }
            }
        }
        #expect(scheduler.isIdle && goals.isEmpty)
        #expect(served > 100)
        // The whole pool is free again.
        try scheduler.enqueue(request("whole", prompt: 12 * 16, max: 1))
        let last = scheduler.admit(now: start)
        #expect(last.count == 1)
    }
}
