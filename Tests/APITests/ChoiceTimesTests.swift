import Core
import Metrics
import Testing

@testable import API

@Suite struct ChoiceTimesTests {
    private let start = ContinuousClock.now
    private let metrics = RequestMetrics()

    private func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

    private func times(_ budget: LatencyBudget = .none) -> ChoiceTimes { ChoiceTimes(arrival: start, budget: budget) }

    /// For each limit: answers that met it, and those that missed it.
    private var verdicts: [[Int]] {
        [BudgetLimit.whole, .firstToken, .perToken].map { limit in
            [metrics.budgets(limit, isMet: true), metrics.budgets(limit, isMet: false)]
        }
    }

    @Test func histograms() {
        var times = times()
        times.take([4], at: at(100), metrics)
        times.take([], at: at(150), metrics)
        times.take([4, 2, 3], at: at(190), metrics)
        times.end(.stop, at: at(200), metrics)
        #expect(metrics.timeToFirstToken.reading.sum == 0.1)
        #expect(metrics.interTokenLatency.reading.count == 3, "one gap for each token but the first")
        #expect(metrics.interTokenLatency.reading.sum == 0.09, "tokens of one batch share the time")
        #expect(metrics.timePerOutputToken.reading.count == 1)
        #expect(metrics.timePerOutputToken.reading.sum == 0.03)
        #expect(metrics.duration.reading.sum == 0.2)
        #expect((1...4).map(metrics.generated) == [0, 1, 1, 2])
        #expect(metrics.chainsLowered.value == 1 && metrics.chainsRaised.value == 1)
        #expect(verdicts == [[0, 0], [0, 0], [0, 0]], "no limit, nothing to judge")
    }

    @Test func anAnswerWithoutTokens() {
        let times = times(LatencyBudget(firstToken: .milliseconds(5), perToken: .milliseconds(5)))
        times.end(.length, at: at(50), metrics)
        #expect(metrics.timeToFirstToken.reading.count == 0)
        #expect(metrics.duration.reading.count == 1)
        #expect(verdicts == [[0, 0], [0, 0], [0, 0]])
        times.end(.deadline, at: at(50), metrics)
        #expect(verdicts == [[0, 0], [0, 1], [0, 0]], "cut off before its first token")
    }

    @Test(
        arguments: [
            (60, 30, 20, FinishReason.stop, [[1, 0], [1, 0], [1, 0]]),
            (59, 30, 20, .stop, [[0, 1], [1, 0], [1, 0]]),
            (60, 19, 20, .length, [[1, 0], [0, 1], [1, 0]]),
            (60, 20, 9, .length, [[1, 0], [1, 0], [0, 1]]),
            (60, 20, 10, .deadline, [[0, 1], [1, 0], [1, 0]]),
        ] as [(Int, Int, Int, FinishReason, [[Int]])]
    )
    func judgesBudgets(whole: Int, first: Int, pace: Int, reason: FinishReason, expected: [[Int]]) {
        var times = times(
            LatencyBudget(
                whole: .milliseconds(whole),
                firstToken: .milliseconds(first),
                perToken: .milliseconds(pace)
            )
        )
        times.take([1], at: at(20), metrics)
        times.take([1], at: at(25), metrics)
        times.take([1], at: at(40), metrics)
        times.end(reason, at: at(60), metrics)
        #expect(verdicts == expected)
    }

    /// A budget of a PATCH counts from there; the first token is no part of it any more.
    @Test func judgesAChangedBudgetFromItsChange() {
        var times = times(LatencyBudget(whole: .milliseconds(10), firstToken: .milliseconds(1)))
        times.take([4], at: at(20), metrics)
        times.setBudget(
            LatencyBudget(whole: .milliseconds(50), firstToken: .milliseconds(1), perToken: .milliseconds(10)),
            at: at(100)
        )
        times.take([2], at: at(115), metrics)
        times.take([2], at: at(120), metrics)
        times.end(.stop, at: at(145), metrics)
        #expect(verdicts == [[1, 0], [0, 0], [1, 0]])
    }

    @Test func judgesABudgetThatCameBeforeTheFirstToken() {
        var times = times()
        times.setBudget(LatencyBudget(firstToken: .milliseconds(10), perToken: .milliseconds(5)), at: at(100))
        times.take([4], at: at(111), metrics)
        times.take([4], at: at(116), metrics)
        times.end(.stop, at: at(120), metrics)
        #expect(verdicts == [[0, 0], [0, 1], [1, 0]])
    }

    @Test func aClearedBudgetIsNotJudged() {
        var times = times(LatencyBudget(whole: .milliseconds(1), perToken: .milliseconds(1)))
        times.take([4], at: at(20), metrics)
        times.setBudget(.none, at: at(30))
        times.take([4], at: at(99), metrics)
        times.end(.length, at: at(99), metrics)
        #expect(verdicts == [[0, 0], [0, 0], [0, 0]])
    }
}
