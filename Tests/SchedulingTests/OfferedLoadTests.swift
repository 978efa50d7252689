import Core
import Glibc
import TestSupport
import Testing

@testable import Scheduling

@Suite struct OfferedLoadTests {
    /// Poisson arrivals of a known load, after so many requests that the first guess is forgotten.
    @Test(arguments: [0.2, 0.8, 1.5]) func aPoissonLoadIsFound(share: Double) {
        var load = OfferedLoad()
        var random = SeededGenerator(seed: 3)
        var time = 0.0, sum = 0.0
        for index in 0..<3000 {
            time -= log(Double.random(in: 1e-12..<1, using: &random))
            load.observe(seconds: share, within: nil, at: time)
            if index >= 1000 { sum += load.share(at: time) }
        }
        #expect(abs(sum / 2000 - share) < 0.07 * share)
    }

    @Test func silenceLowersIt() {
        var load = OfferedLoad()
        for second in 0..<500 { load.observe(seconds: 0.8, within: nil, at: Double(second)) }
        let now = load.share(at: 499)
        let later = load.share(at: 899)
        #expect(abs(now - 0.8) < 0.05)
        #expect(later < 0.5 * now + 0.1 && later > 0)
        #expect(load.share(at: 100_000) < 0.01)
    }

    @Test func nothingCameYet() {
        #expect(OfferedLoad().share(at: 0) == 0)
    }

    @Test func theFirstRequestIsNoLoadToWorryAbout() {
        var load = OfferedLoad()
        load.observe(seconds: 3, within: nil, at: 0)
        #expect(load.share(at: 0) == 0.25)
    }

    @Test func aClockThatStandsStillIsNoHarm() {
        var load = OfferedLoad()
        for _ in 0..<10 { load.observe(seconds: 1, within: 5, at: 0) }
        #expect(load.share(at: 0).isFinite)
        #expect(load.share(at: -5).isFinite)
        #expect(load.safety(backlog: 0, at: 0) >= 0)
    }

    // MARK: Bursts

    /// Requests of a second of work each, at load 0.5, which have 50 seconds.
    ///
    /// - Parameter squaredVariation: of the time between them: the variance over the squared mean.
    private func arrivals(squaredVariation: Double, count: Int = 20_000) -> (load: OfferedLoad, end: Double) {
        var load = OfferedLoad()
        var random = SeededGenerator(seed: 5)
        var time = 0.0
        for _ in 0..<count {
            // Bursts of requests at once, geometric in number: `1 + p` over `1 - p` is their variation.
            let isInBurst = Double.random(in: 0..<1, using: &random) < (squaredVariation - 1) / (squaredVariation + 1)
            if !isInBurst { time -= (squaredVariation + 1) * log(Double.random(in: 1e-12..<1, using: &random)) }
            load.observe(seconds: 1, within: 50, at: time)
        }
        return (load, time)
    }

    @Test(arguments: [1.0, 4.0, 8.0]) func aClimbOfTheBacklogIsAsLikelyAsInHeavyTraffic(variation: Double) {
        var sum = 0.0, count = 0
        for length in stride(from: 4_000, through: 20_000, by: 500) {
            let (load, end) = arrivals(squaredVariation: variation, count: length)
            sum += load.safety(backlog: 10, at: end)
            count += 1
        }
        // 2 (1 - 0.5) (50 - 10) over a variance of 0.5 a second for each unit of variation.
        let expected = 80 / variation
        #expect(abs(sum / Double(count) - expected) < 0.3 * expected)
    }

    @Test func moreWorkHereIsLessSafe() {
        let (load, end) = arrivals(squaredVariation: 2)
        #expect(load.safety(backlog: 5, at: end) > load.safety(backlog: 20, at: end))
        #expect(load.safety(backlog: 49, at: end) > 0)
        #expect(load.safety(backlog: 50.001, at: end) == 0)
        #expect(load.safety(backlog: 500, at: end) == 0)
    }

    @Test func anOverloadIsNeverSafe() {
        var load = OfferedLoad()
        for second in 0..<5000 { load.observe(seconds: 1.1, within: 50, at: Double(second)) }
        #expect(load.safety(backlog: 0, at: 5000) == 0)
    }

    @Test func anEvenFlowIsSaferThanAnyBurst() {
        var load = OfferedLoad()
        for second in 0..<5000 { load.observe(seconds: 0.5, within: 50, at: Double(second)) }
        #expect(load.safety(backlog: 10, at: 5000) > 1000)
    }

    @Test func theShortestBudgetsCountMost() {
        var load = OfferedLoad()
        #expect(load.horizon == 10)
        for second in 0..<5000 {
            load.observe(seconds: 0.1, within: second.isMultiple(of: 2) ? 1 : nil, at: Double(second))
        }
        // One request has 1 s, the other counts as if it had 10.
        #expect(abs(load.horizon - 2 / 1.1) < 0.01)
    }

    @Test func timesThatDifferAreUneven() {
        var equal = OfferedLoad(), unequal = OfferedLoad()
        #expect(equal.unevenness == 0)
        for index in 0..<3000 {
            equal.observe(seconds: 0.1, within: 2, at: Double(index))
            unequal.observe(seconds: 0.1, within: index % 2 == 0 ? 1 : 9, at: Double(index))
        }
        #expect(abs(equal.unevenness) < 1e-9)
        // 1.8, the harmonic mean, of 5.
        #expect(abs(unequal.unevenness - 0.64) < 0.01)
    }
}
