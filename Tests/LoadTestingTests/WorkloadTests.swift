import Foundation
import Testing

@testable import LoadTesting

@Suite struct WorkloadTests {
    private func workload(
        _ gaps: ArrivalProcess.Gaps,
        _ rate: ArrivalProcess.Rate,
        until bound: Workload.Bound,
        seed: UInt64 = 1
    ) throws -> Workload {
        try Workload(
            ArrivalProcess(gaps: gaps, rate: rate),
            prompt: .uniform(10...20),
            output: .fixed(7),
            until: bound,
            seed: seed
        )
    }

    /// Five standard errors of the mean gap, sqrt(CV^2 / n), and generous room for that of CV^2 itself.
    @Test(arguments: [0.25, 1, 2, 4, 8])
    func gammaHasItsRateAndItsVariation(variation: Double) throws {
        let count = 100_000
        let made = try workload(.gamma(squaredVariation: variation), .constant(5), until: .requests(count))
        #expect(abs(made.meanRate / 5 - 1) < 5 * (variation / Double(count)).squareRoot())
        let found = try #require(made.squaredVariation)
        #expect(abs(found / variation - 1) < 0.1)
        #expect(made.arrivals.count == count)
    }

    @Test func poissonIsGammaOfVariationOne() throws {
        let made = try workload(.poisson, .constant(20), until: .requests(100_000))
        #expect(abs(made.meanRate / 20 - 1) < 0.016)
        #expect(abs(try #require(made.squaredVariation) - 1) < 0.05)
        // Counts in seconds are Poisson: their variance is their mean.
        var counts: [Int: Int] = [:]
        for arrival in made.arrivals { counts[Int(arrival.time), default: 0] += 1 }
        let values = (0..<4900).map { Double(counts[$0] ?? 0) }
        let mean = values.reduce(0, +) / 4900
        #expect(abs(values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 4900 / mean - 1) < 0.1)
    }

    @Test func constant() throws {
        let made = try workload(.constant, .constant(4), until: .duration(10))
        #expect(made.arrivals.map(\.time) == (1...39).map { Double($0) / 4 })
        #expect(made.duration == 10)
        #expect(made.squaredVariation == 0)
    }

    @Test func rampReachesItsRates() throws {
        let made = try workload(
            .poisson,
            .ramp(from: 10, to: 90, seconds: 100),
            until: .duration(200)
        )
        func count(_ range: Range<Double>) -> Double { Double(made.arrivals.count { range.contains($0.time) }) }
        // The integral of the rate: 10 t + 0.4 t^2.
        #expect(abs(count(0..<50) - 1500) < 5 * 1500.squareRoot())
        #expect(abs(count(50..<100) - 3500) < 5 * 3500.squareRoot())
        #expect(abs(count(100..<200) - 9000) < 5 * 9000.squareRoot())
    }

    @Test func constantRampIsExact() throws {
        let rate = ArrivalProcess.Rate.ramp(from: 0, to: 2, seconds: 10)
        // t^2 / 10 requests until 10 s, two a second after.
        #expect(abs(rate.time(of: 2.5) - 5) < 1e-12)
        #expect(abs(rate.time(of: 10) - 10) < 1e-12)
        #expect(abs(rate.time(of: 14) - 12) < 1e-12)
        let falling = ArrivalProcess.Rate.ramp(from: 2, to: 1e-9, seconds: 10)
        #expect(abs(falling.time(of: 7.5) - 5) < 1e-6)
    }

    @Test func seedsRepeatAndDiffer() throws {
        let first = try workload(.poisson, .constant(5), until: .requests(50))
        #expect(try workload(.poisson, .constant(5), until: .requests(50)) == first)
        #expect(try workload(.poisson, .constant(5), until: .requests(50), seed: 2) != first)
        #expect(first.arrivals.allSatisfy { (10...20).contains($0.promptTokens) && $0.outputTokens == 7 })
        // Arrivals stay where they are when lengths are drawn another way.
        let other = try Workload(
            ArrivalProcess(gaps: .poisson, rate: .constant(5)),
            prompt: .lognormal(median: 9, sigma: 1, clip: 1...90),
            output: .uniform(1...2),
            until: .requests(50),
            seed: 1
        )
        #expect(other.arrivals.map(\.time) == first.arrivals.map(\.time))
        #expect(Set(other.arrivals.map(\.outputTokens)) == [1, 2])
    }

    @Test func scaling() throws {
        let made = try workload(.gamma(squaredVariation: 4), .constant(5), until: .duration(60))
        let faster = try made.scaled(toRate: 12.5)
        #expect(abs(faster.meanRate - 12.5) < 1e-9)
        #expect(abs(try #require(faster.squaredVariation) / #require(made.squaredVariation) - 1) < 1e-9)
        // Half a second of the machine each: a load of 0.8 is 1.6 requests a second.
        let loaded = try made.scaled(toLoad: 0.8) { _ in 0.5 }
        #expect(abs(loaded.meanRate - 1.6) < 1e-9)
        #expect(throws: WorkloadError.self) { try made.scaled(toRate: 0) }
        #expect(throws: WorkloadError.self) { try made.scaled(toLoad: 1) { _ in 0 } }
        #expect(throws: WorkloadError.self) { try Workload(arrivals: [], duration: 0).scaled(toRate: 1) }
    }

    @Test func prefixes() throws {
        let made = try workload(.constant, .constant(2), until: .duration(10))
        let part = made.prefix(4)
        #expect(part.arrivals.count == 4 && part.duration == 2.5)
        #expect(made.prefix(1000) == made)
        #expect(made.prefix(0).arrivals.isEmpty)
    }

    @Test func mistakes() {
        func refused(_ gaps: ArrivalProcess.Gaps, _ rate: ArrivalProcess.Rate) -> String {
            do throws(WorkloadError) {
                _ = try ArrivalProcess(gaps: gaps, rate: rate)
                return ""
            } catch {
                return error.description
            }
        }
        #expect(refused(.gamma(squaredVariation: 0), .constant(1)).contains("CV^2 is 0.0; it must be above 0"))
        #expect(refused(.gamma(squaredVariation: .nan), .constant(1)).contains("CV^2"))
        #expect(refused(.poisson, .constant(0)).contains("the rate is 0.0"))
        #expect(refused(.poisson, .constant(.infinity)).contains("the rate is inf"))
        #expect(refused(.poisson, .ramp(from: -1, to: 1, seconds: 1)).contains("start of the ramp"))
        #expect(refused(.poisson, .ramp(from: 0, to: 0, seconds: 1)).contains("end of the ramp"))
        #expect(refused(.poisson, .ramp(from: 0, to: 1, seconds: 0)).contains("takes 0.0 s"))
        #expect(throws: WorkloadError.self) { try workload(.poisson, .constant(1), until: .duration(0)) }
        #expect(throws: WorkloadError.self) { try workload(.poisson, .constant(1), until: .requests(0)) }
        #expect(throws: WorkloadError.self) { try workload(.constant, .constant(0.1), until: .duration(1)) }
    }
}
