import Core
import Testing

@testable import Scheduling

/// A request's way through the scheduler: chunks, places, the queue and its end.
@Suite struct SchedulerTests {
    @Test func oneRequestFromPromptToLastToken() throws {
        var desk = Desk()
        try desk.enqueue(desk.request("a", prompt: 40, max: 3, chains: .fixed(2)))
        #expect(desk.scheduler.queuedCount == 1 && desk.scheduler.runningCount == 0)

        // 40 tokens in chunks of 32 and 8; only the chunk with the last token wants logits.
        var plan = desk.schedule()
        #expect(plan.started == [.init(id: "a", cachedTokens: 0, isResumed: false)])
        #expect(plan.parts == [.init(id: "a", start: 0, count: 32, chains: 2, logits: .none)])
        desk.scheduler.advance(plan)
        plan = desk.schedule()
        #expect(plan.started.isEmpty)
        #expect(plan.parts == [.init(id: "a", start: 32, count: 8, chains: 2, logits: .last)])
        desk.scheduler.advance(plan)
        // Nothing to do until the drawn token is known.
        #expect(desk.schedule().isEmpty)
        desk.scheduler.appended("a", now: desk.now)
        #expect(desk.schedule().parts == [.init(id: "a", start: 40, count: 1, chains: 2, logits: .last)])
        desk.finish("a")
        #expect(desk.scheduler.isIdle)
    }

    @Test func decodesComeBeforePrefillsAndTheStepIsBounded() throws {
        var desk = Desk(running: 4, stepTokens: 8)
        try desk.enqueue(desk.request("decoding", prompt: 4))
        desk.step()
        try desk.enqueue(desk.request("b", prompt: 5))
        try desk.enqueue(desk.request("c", prompt: 50))
        let plan = desk.schedule()
        #expect(plan.parts.map(\.id) == ["decoding", "b", "c"])
        #expect(plan.parts.map(\.count) == [1, 5, 2])
        #expect(plan.tokens == 8)
    }

    @Test func cachedTokensAreNotComputedAgain() throws {
        var desk = Desk()
        desk.room.cached["a"] = 19
        try desk.enqueue(desk.request("a", prompt: 20))
        let plan = desk.schedule()
        #expect(plan.started.map(\.cachedTokens) == [19])
        #expect(plan.parts.map(\.start) == [19] && plan.parts.map(\.count) == [1])
        #expect(plan.parts.map(\.logits) == [.last])
    }

    @Test func promptLogprobsWantEveryRow() throws {
        var desk = Desk(stepTokens: 16)
        try desk.enqueue(desk.request("a", prompt: 20, max: 0, logprobs: true))
        let first = desk.step(), second = desk.schedule()
        #expect(first.parts.map(\.logits) == [.all] && first.parts.map(\.count) == [16])
        #expect(second.parts.map(\.logits) == [.all] && second.parts.map(\.start) == [16])
    }

    @Test func aPromptWithoutAnAnswerWantsNoLogits() throws {
        var desk = Desk()
        try desk.enqueue(desk.request("a", prompt: 8, max: 0))
        #expect(desk.schedule().parts.map(\.logits) == [.none])
    }

    @Test func chainsWithinTheClientsWishes() throws {
        var desk = Desk(chains: 3)
        try desk.enqueue(desk.request("auto"))
        try desk.enqueue(desk.request("range", chains: .range(1...2)))
        try desk.enqueue(desk.request("fixed", chains: .fixed(1)))
        let plan = desk.schedule()
        #expect(plan.parts.map(\.chains) == [3, 2, 1])
        #expect(plan.parts.map(\.reason) == [.unconstrained, .unconstrained, .requested])
    }

    // MARK: The queue

    @Test func aFullQueueRefusesWithAnEstimate() throws {
        var desk = Desk(running: 1, queued: 1)
        try desk.enqueue(desk.request("a"))
        try desk.enqueue(desk.request("b"))
        #expect(throws: GenerationFailure.overloaded(retryAfter: 1)) { try desk.enqueue(desk.request("c")) }
        _ = desk.schedule()
        #expect(throws: GenerationFailure.self) { try desk.enqueue(desk.request("c")) }
        desk.time += 6
        desk.finish("a")
        try desk.enqueue(desk.request("c"))
        _ = desk.schedule()
        // What was cancelled teaches nothing about how long answers take.
        desk.remove("b")
        _ = desk.schedule()
        try desk.enqueue(desk.request("waiting"))
        // One waits; a newcomer would be the second behind a six-second answer.
        #expect(throws: GenerationFailure.overloaded(retryAfter: 12)) { try desk.enqueue(desk.request("d")) }
    }

    @Test func whatCanNeverFitIsRefusedAtOnce() throws {
        var desk = Desk(poolBlocks: 2)
        // The last generated token needs no KV: 30 + 3 - 1 tokens are two blocks.
        try desk.enqueue(desk.request("fits", prompt: 30, max: 3))
        #expect(throws: GenerationFailure.tooLarge(neededTokens: 33, poolTokens: 32)) {
            try desk.enqueue(desk.request("big", prompt: 30, max: 4))
        }
    }

    @Test func aPlaceNeedsBlocksForThePrompt() throws {
        var desk = Desk(poolBlocks: 4)
        try desk.enqueue(desk.request("a", prompt: 17, max: 1))
        try desk.enqueue(desk.request("b", prompt: 33, max: 1))
        #expect(desk.schedule().started.map(\.id) == ["a"])
        #expect(desk.scheduler.queuedCount == 1 && desk.room.used == 2)
        desk.remove("a")
        #expect(desk.schedule().started.map(\.id) == ["b"])
    }

    /// Two long prompts that do not fit together take turns, and do not throw each other out.
    @Test func blocksThatAPrefillStillNeedsAreNotGivenAway() throws {
        var desk = Desk(stepTokens: 16, poolBlocks: 12)
        try desk.enqueue(desk.request("a", prompt: 128, max: 4))
        try desk.enqueue(desk.request("b", prompt: 96, max: 4))
        let served = desk.serve(["a": 4, "b": 4])
        #expect(served.values.allSatisfy { $0.chains.count == 4 })
        #expect(desk.scheduler.preemptions == 0)
    }

    @Test func removalWhereverARequestIs() throws {
        var desk = Desk(running: 1)
        try desk.enqueue(desk.request("a"))
        try desk.enqueue(desk.request("b"))
        _ = desk.schedule()
        let removed = [desk.scheduler.remove("b"), desk.scheduler.remove("a"), desk.scheduler.remove("a")]
        #expect(removed == [true, true, false])
        #expect(desk.scheduler.isIdle)
    }

    @Test func clientsTakeTurns() throws {
        var desk = Desk(running: 1)
        for index in 0..<6 { try desk.enqueue(desk.request("flood \(index)", max: 2, client: "flood")) }
        try desk.enqueue(desk.request("small", max: 2, client: "small"))
        let served = desk.serve(Dictionary(uniqueKeysWithValues: (0..<6).map { ("flood \($0)", 2) } + [("small", 2)]))
        let ends = served.sorted { $0.value.end < $1.value.end }.map(\.key)
        #expect(ends.firstIndex(of: "small") == 1)
    }

    // MARK: Where a request stands

    @Test func statusFollowsARequest() throws {
        var desk = Desk(running: 1)
        try desk.enqueue(desk.request("a", prompt: 40, chains: .range(1...3)))
        #expect(desk.scheduler.status(of: "a")?.phase == .queued)
        desk.step()
        try desk.enqueue(desk.request("b", prompt: 7, budget: .init(whole: .seconds(10))))
        #expect(
            desk.scheduler.status(of: "a")
                == RequestStatus(phase: .prefill, chains: 3, promptTokens: 40, generatedTokens: 0)
        )
        desk.step()
        desk.step()
        #expect(
            desk.scheduler.status(of: "a")
                == RequestStatus(phase: .decode, chains: 3, promptTokens: 40, generatedTokens: 2)
        )
        #expect(
            desk.scheduler.status(of: "b")
                == RequestStatus(phase: .queued, chains: 4, promptTokens: 7, generatedTokens: 0)
        )
        desk.finish("a")
        #expect(desk.scheduler.status(of: "a") == nil)
        #expect(desk.scheduler.status(of: "unknown") == nil)
    }
}
