import Core
import Synchronization
import Testing

@testable import Engine

/// Requests that change, give way and run out of time while they are answered.
@Suite struct ElasticStepTests {
    /// Keeps what a change was answered with.
    private final class Reply: Sendable {
        private let answers = Mutex<[RequestStatus?]>([])

        var all: [RequestStatus?] { answers.withLock { $0 } }

        func receive(_ status: RequestStatus?) { answers.withLock { $0.append(status) } }
    }

    @Test func aChangeActsFromTheNextToken() {
        var bench = Bench()
        let (id, log) = bench.submit(prompt(20), max: 20)
        let reply = Reply()
        for chains in [2, 1, 3] {
            for _ in 0..<4 { bench.step() }
            let change = RequestChange(chains: .fixed(chains), received: bench.now)
            bench.loop.change(id, to: change) { reply.receive($0) }
        }
        bench.runUntilIdle()
        #expect(log.tokens.map(\.chains) == [4, 4, 4, 4, 2, 2, 2, 2, 1, 1, 1, 1] + Array(repeating: 3, count: 8))
        #expect(PrefixHashModel.isAnswer(log.tokens, to: prompt(20)))
        #expect(
            reply.all
                == [(2, 4), (1, 8), (3, 12)].map {
                    RequestStatus(phase: .decode, chains: $0.0, promptTokens: 20, generatedTokens: $0.1)
                }
        )
    }

    @Test func aChangeOfNobodyIsToldSo() {
        var bench = Bench()
        let reply = Reply()
        bench.loop.change("unknown", to: RequestChange(received: bench.now)) { reply.receive($0) }
        bench.step()
        #expect(reply.all == [nil])
    }

    @Test func whoGivesWayLosesNothing() {
        // Each grows to four blocks; the pool has six.
        var bench = Bench(blocks: 6)
        let requests = (0..<4).map { bench.submit(prompt(20, from: $0), max: 40, chains: $0 + 1, priority: $0 % 2) }
        bench.runUntilIdle()
        #expect(bench.loop.scheduler.preemptions > 0)
        for (index, request) in requests.enumerated() {
            let expected = PrefixHashModel.answer(to: prompt(20, from: index), count: 40, chains: index + 1)
            #expect(request.log.tokens.map(\.id) == expected)
            #expect(request.log.finish == .length)
        }
        #expect(bench.pool.usedBlocks == 0)
    }

    @Test func promptLogprobsComeOnceFromWhoGaveWay() {
        var bench = Bench(blocks: 5)
        let first = bench.submit(prompt(30), max: 30, promptLogprobs: true)
        let second = bench.submit(prompt(30, from: 9), max: 30, logprobs: 1, promptLogprobs: true)
        bench.runUntilIdle()
        #expect(bench.loop.scheduler.preemptions > 0)
        for log in [first.log, second.log] {
            let times = log.all.count { if case .promptLogprobs = $0 { true } else { false } }
            #expect(times == 1 && log.promptLogprobs?.count == 30)
            #expect(log.tokens.count == 30)
        }
    }

    @Test func aDeadlineCutsTheAnswer() {
        var bench = Bench()
        let (_, log) = bench.submit(prompt(5), max: 100, budget: LatencyBudget(whole: .seconds(1)))
        for _ in 0..<10 { bench.step() }
        bench.now += .seconds(1)
        bench.runUntilIdle()
        #expect(log.tokens.count == 10 && log.finish == .deadline)
        #expect(PrefixHashModel.isAnswer(log.tokens, to: prompt(5)))
        #expect(bench.pool.usedBlocks == 0)
    }

    @Test func aDeadlineInTheQueueIsAnAnswerWithoutTokens() {
        var bench = Bench(running: 1)
        let running = bench.submit(prompt(5), max: 20)
        bench.step()
        let waiting = bench.submit(prompt(5), max: 2, budget: LatencyBudget(whole: .milliseconds(500)))
        bench.step()
        bench.now += .seconds(1)
        bench.step()
        let names = waiting.log.all.map {
            switch $0 {
            case .admitted(let admission): "admitted \(admission.reason)"
            case .finished(let reason): "finished \(reason)"
            case .promptLogprobs, .token, .failed: "?"
            }
        }
        #expect(names == ["admitted budget", "finished deadline"])
        bench.runUntilIdle()
        #expect(running.log.tokens.count == 20)
    }

    @Test func aBudgetThatCannotBeMetIsRefused() {
        var bench = Bench()
        let (_, log) = bench.submit(prompt(5), max: 100, budget: LatencyBudget(whole: .milliseconds(1)))
        bench.step()
        guard case .unattainable(.whole, _) = log.failure else {
            Issue.record("\(String(describing: log.failure))")
            return
        }
    }
}
