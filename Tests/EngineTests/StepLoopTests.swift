import Core
import TestSupport
import Testing

@testable import Engine

@Suite struct StepLoopTests {
    @Test(arguments: [1, 15, 16, 17, 23, 24, 25, 100]) func answersForEveryPromptLength(length: Int) {
        var bench = Bench()
        let (_, log) = bench.submit(prompt(length), max: 20, chains: 3)
        bench.runUntilIdle()
        #expect(log.tokens.map(\.id) == PrefixHashModel.answer(to: prompt(length), count: 20, chains: 3))
        #expect(log.tokens.allSatisfy { $0.chains == 3 })
        let admission = log.admission
        #expect(admission?.cachedTokens == 0 && admission?.chains == 3 && admission?.reason == .requested)
        #expect(log.finish == .length)
        #expect(bench.pool.usedBlocks == 0)
        #expect(bench.model.largestBatch <= 24)
    }

    /// The admission is told with the first token; the time in the queue ends with the place.
    @Test func timeInTheQueueIsUntilThePlace() {
        var bench = Bench(running: 1)
        let (_, first) = bench.submit(prompt(3), max: 3)
        let (_, second) = bench.submit(prompt(60), max: 1)
        while !bench.loop.isIdle {
            bench.step()
            bench.now += .seconds(1)
        }
        #expect(first.admission?.queueTime == .zero)
        // Three steps for the first one's tokens; two more that compute its own prompt do not count.
        #expect(second.admission?.queueTime == .seconds(3))
    }

    @Test func eventsComeInOrder() {
        var bench = Bench()
        let (_, log) = bench.submit(prompt(3), max: 1, promptLogprobs: true)
        bench.runUntilIdle()
        let names = log.all.map {
            switch $0 {
            case .admitted: "admitted"
            case .promptLogprobs: "promptLogprobs"
            case .token: "token"
            case .finished: "finished"
            case .failed: "failed"
            }
        }
        #expect(names == ["admitted", "promptLogprobs", "token", "finished"])
    }

    @Test func anEndTokenEndsTheAnswer() {
        var bench = Bench()
        let answer = PrefixHashModel.answer(to: prompt(9), count: 20, chains: 4)
        let end = answer[5]
        let (_, log) = bench.submit(prompt(9), max: 20, endTokens: [end])
        bench.runUntilIdle()
        let first = answer.firstIndex(of: end)!
        #expect(log.tokens.map(\.id) == Array(answer[...first]))
        #expect(log.finish == .stop)
    }

    @Test func endTokensWaitForTheShortestAnswer() {
        var bench = Bench()
        let answer = PrefixHashModel.answer(to: prompt(9), count: 4, chains: 4)
        let every = Set(TokenID(0)..<TokenID(PrefixHashModel.vocabularySize - 1))
        let (_, free) = bench.submit(prompt(9), max: 20, endTokens: every)
        let (_, held) = bench.submit(prompt(9), max: 20, min: 5, endTokens: every)
        bench.runUntilIdle()
        #expect(free.tokens.map(\.id) == [answer[0]])
        #expect(held.tokens.map(\.id).prefix(5).allSatisfy { !every.contains($0) })
        #expect(held.tokens.count == 6 && held.finish == .stop)
    }

    /// A token that is penalised out of the answer is not drawn again, and the log probabilities stay the model's.
    @Test func adjustedLogitsDecideAndTheModelsAreReported() throws {
        var bench = Bench()
        let first = PrefixHashModel.next(after: prompt(9), chains: 4)
        let forbidden = SamplingParameters(temperature: 0, bias: [first: -100], seed: 0)
        let (_, log) = bench.submit(prompt(9), max: 1, sampling: forbidden, logprobs: 1)
        bench.runUntilIdle()
        let token = try #require(log.tokens.first)
        #expect(token.id == 0 && first != 0, "the lowest id of the others, which are equal")
        #expect(token.logprobs?.top.first?.id == first)
        #expect(token.logprobs.map { $0.chosen.logprob < $0.top[0].logprob } == true)
    }

    @Test func penaltiesSeeEveryTokenOfTheAnswer() {
        var bench = Bench()
        // The model's token stands out by 4. Used once it is level with the unused ones, used twice it is behind them.
        let sampling = SamplingParameters(temperature: 0, presencePenalty: 2, frequencyPenalty: 2, seed: 0)
        let (_, log) = bench.submit(prompt(4), max: 60, sampling: sampling)
        bench.runUntilIdle()
        var counts: [TokenID: Int] = [:]
        for token in log.tokens { counts[token.id, default: 0] += 1 }
        #expect(log.tokens.count == 60)
        #expect(counts.values.max() ?? 0 <= 2)
    }

    @Test func logprobsOfPromptAndAnswer() throws {
        var bench = Bench()
        let words = prompt(40)
        let (_, log) = bench.submit(words, max: 2, logprobs: 2, promptLogprobs: true)
        bench.runUntilIdle()
        let entries = try #require(log.promptLogprobs)
        #expect(entries.count == 40)
        #expect(entries[0] == nil)
        for position in 1..<40 {
            let entry = try #require(entries[position])
            #expect(entry.chosen.id == words[position])
            #expect(entry.top.count == 2)
            #expect(entry.top[0].id == PrefixHashModel.next(after: words[..<position], chains: 4))
        }
        #expect(log.tokens.map(\.logprobs?.top.count) == [2, 2])
        #expect(log.tokens.allSatisfy { $0.logprobs?.chosen == $0.logprobs?.top[0] })
    }

    @Test func aPromptWithoutAnAnswer() {
        var bench = Bench()
        let (_, log) = bench.submit(prompt(30), max: 0, logprobs: 0, promptLogprobs: true)
        bench.runUntilIdle()
        #expect(log.tokens.isEmpty)
        #expect(log.promptLogprobs?.count == 30)
        #expect(log.finish == .length)
    }

    @Test func aSessionChangesSizeAndComputesNothingTwice() throws {
        var bench = Bench()
        var history = prompt(37)
        var known = 0
        for chains in [4, 1, 3] {
            let before = bench.model.computedTokens
            let (_, log) = bench.submit(history, max: 10, chains: chains, session: "s")
            bench.runUntilIdle()
            #expect(log.tokens.map(\.id) == PrefixHashModel.answer(to: history, count: 10, chains: chains))
            // The last token of the answer before has no KV yet.
            let cached = max(0, known - 1)
            #expect(log.admission?.cachedTokens == cached)
            // The last generated token is not fed back.
            #expect(bench.model.computedTokens - before == history.count - cached + 9)
            history += log.tokens.map(\.id)
            known = history.count
            #expect(bench.directory["s"]?.tokens == history)
            history += prompt(5, from: chains)
        }
    }

    @Test func aSessionThatTookAnotherTurnKeepsTheCommonPart() {
        var bench = Bench()
        _ = bench.submit(prompt(40), max: 4, session: "s")
        bench.runUntilIdle()
        let other = prompt(21) + prompt(10, from: 33)
        let (_, log) = bench.submit(other, max: 6, session: "s")
        bench.runUntilIdle()
        #expect(log.admission?.cachedTokens == 21)
        #expect(log.tokens.map(\.id) == PrefixHashModel.answer(to: other, count: 6, chains: 4))
    }

    @Test func theSamePromptAgainComputesItsLastTokenOnly() {
        var bench = Bench()
        _ = bench.submit(prompt(32), max: 1, session: "s")
        bench.runUntilIdle()
        let (_, log) = bench.submit(prompt(32), max: 1, session: "s")
        bench.runUntilIdle()
        #expect(log.admission?.cachedTokens == 31)
    }

    @Test func twoRequestsOfOneSessionAtOnceDoNotDisturbEachOther() {
        var bench = Bench()
        _ = bench.submit(prompt(20), max: 3, session: "s")
        bench.runUntilIdle()
        let base = bench.directory["s"]?.tokens ?? []
        let left = bench.submit(base + [1], max: 20, session: "s")
        let right = bench.submit(base + [2], max: 20, session: "s")
        bench.runUntilIdle()
        #expect(left.log.tokens.map(\.id) == PrefixHashModel.answer(to: base + [1], count: 20, chains: 4))
        #expect(right.log.tokens.map(\.id) == PrefixHashModel.answer(to: base + [2], count: 20, chains: 4))
    }

    @Test func idleSessionsMakeRoomForRunningRequests() {
        var bench = Bench(blocks: 8, sessions: 100)
        for session in 0..<6 {
            _ = bench.submit(prompt(17, from: session), max: 2, session: "s\(session)")
            bench.runUntilIdle()
        }
        #expect(bench.pool.freeBlocks < 8)
        let (_, log) = bench.submit(prompt(100), max: 20)
        bench.runUntilIdle()
        #expect(log.tokens.map(\.id) == PrefixHashModel.answer(to: prompt(100), count: 20, chains: 4))
        #expect(bench.directory["s0"] == nil)
    }

    @Test func sessionsAreForgottenAfterTheirTime() {
        var bench = Bench()
        _ = bench.submit(prompt(20), session: "s")
        bench.runUntilIdle()
        #expect(bench.pool.usedBlocks > 0)
        bench.now += .seconds(61)
        bench.step()
        #expect(bench.pool.usedBlocks == 0)
        #expect(bench.directory["s"] == nil)
    }

    @Test func overloadAndImpossibleRequestsFail() {
        var bench = Bench(blocks: 4, running: 1, queued: 0)
        let big = bench.submit(prompt(60), max: 10)
        let first = bench.submit(prompt(4))
        let second = bench.submit(prompt(4))
        bench.runUntilIdle()
        #expect(big.log.failure == .tooLarge(neededTokens: 69, poolTokens: 64))
        #expect(first.log.finish == .length)
        #expect(second.log.failure == .overloaded(retryAfter: 1))
    }

    @Test func cancellationFreesWithinAStepAndHarmsNobody() {
        var bench = Bench(running: 2)
        let victim = bench.submit(prompt(50), max: 1000 - 50 - 24)
        let neighbour = bench.submit(prompt(5), max: 30)
        let waiting = bench.submit(prompt(6), max: 5)
        for _ in 0..<10 { bench.step() }
        #expect(waiting.log.admission == nil)
        bench.loop.cancel(victim.id, now: bench.now)
        bench.step()
        #expect(waiting.log.admission != nil)
        let seen = victim.log.all.count
        bench.runUntilIdle()
        #expect(victim.log.all.count == seen)
        #expect(neighbour.log.tokens.map(\.id) == PrefixHashModel.answer(to: prompt(5), count: 30, chains: 4))
        #expect(waiting.log.finish == .length)
        #expect(bench.pool.usedBlocks == 0)
    }

    /// Random requests, sessions and cancellations over a small pool: every finished answer is right, nothing leaks.
    @Test(arguments: [1, 2, 3, 4]) func randomTraffic(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var bench = Bench(blocks: 24, running: 5, queued: 6, stepTokens: 20, sessions: 4)
        var open: [(id: RequestID, prompt: [TokenID], max: Int, chains: Int, log: EventLog)] = []
        var checked = 0
        for _ in 0..<1_500 {
            if Int.random(in: 0..<3, using: &generator) == 0 {
                let session = Bool.random(using: &generator) ? "s\(Int.random(in: 0..<6, using: &generator))" : nil
                var words = session.flatMap { bench.directory[$0]?.tokens } ?? []
                words = Array(words.prefix(Int.random(in: 0...60, using: &generator)))
                words += prompt(.random(in: 1...40, using: &generator), from: .random(in: 0..<60, using: &generator))
                let max = Int.random(in: 1...20, using: &generator)
                let chains = Int.random(in: 1...4, using: &generator)
                let (id, log) = bench.submit(words, max: max, chains: chains, session: session)
                open.append((id, words, max, chains, log))
            }
            if Int.random(in: 0..<20, using: &generator) == 0,
                let victim = open.indices.randomElement(using: &generator)
            {
                bench.loop.cancel(open.remove(at: victim).id, now: bench.now)
            }
            bench.now += .milliseconds(200)
            bench.step()
            open.removeAll { request in
                if request.log.failure != nil { return true }
                guard request.log.finish != nil else { return false }
                let expected = PrefixHashModel.answer(to: request.prompt, count: request.max, chains: request.chains)
                #expect(request.log.tokens.map(\.id) == expected)
                checked += 1
                return true
            }
        }
        bench.runUntilIdle()
        bench.now += .seconds(61)
        bench.step()
        #expect(checked > 150)
        #expect(bench.pool.usedBlocks == 0)
    }
}
