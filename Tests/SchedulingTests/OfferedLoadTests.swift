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
            load.observe(seconds: share, at: time)
            if index >= 1000 { sum += load.share(at: time) }
        }
        #expect(abs(sum / 2000 - share) < 0.07 * share)
    }

    @Test func silenceLowersIt() {
        var load = OfferedLoad()
        for second in 0..<500 { load.observe(seconds: 0.8, at: Double(second)) }
        let now = load.share(at: 499)
        let later = load.share(at: 599)
        #expect(abs(now - 0.8) < 0.05)
        #expect(later < 0.5 * now + 0.1 && later > 0)
        #expect(load.share(at: 100_000) < 0.01)
    }

    @Test func nothingCameYet() {
        #expect(OfferedLoad().share(at: 0) == 0)
    }

    @Test func theFirstRequestIsNoLoadToWorryAbout() {
        var load = OfferedLoad()
        load.observe(seconds: 3, at: 0)
        #expect(load.share(at: 0) == 0.25)
    }

    @Test func aClockThatStandsStillIsNoHarm() {
        var load = OfferedLoad()
        for _ in 0..<10 { load.observe(seconds: 1, at: 0) }
        #expect(load.share(at: 0).isFinite)
        #expect(load.share(at: -5).isFinite)
    }
}
