import Foundation
import Testing

@testable import LoadTesting

/// Bounds are about five standard errors wide, and seeds are fixed: a right generator passes always.
@Suite struct SeededRandomTests {
    private static let samples = 200_000

    private func moments(_ draw: (inout SeededRandom) -> Double) -> (mean: Double, variance: Double) {
        var random = SeededRandom(seed: 11)
        let values = (0..<Self.samples).map { _ in draw(&random) }
        let mean = values.reduce(0, +) / Double(values.count)
        return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count))
    }

    @Test func repeats() {
        var (a, b) = (SeededRandom(seed: 5), SeededRandom(seed: 5))
        #expect((0..<10).map { _ in a.next() } == (0..<10).map { _ in b.next() })
    }

    @Test func streamsAndSeedsDiffer() {
        var first = Set<UInt64>()
        for seed in 0..<20 as Range<UInt64> {
            for stream in 0..<20 as Range<UInt64> {
                var random = SeededRandom(seed: seed, stream: stream)
                first.insert(random.next())
            }
        }
        #expect(first.count == 400)
    }

    @Test func uniform() {
        let (mean, variance) = moments { $0.uniform() }
        #expect(abs(mean - 0.5) < 0.004 && abs(variance - 1.0 / 12) < 0.001)
    }

    @Test func exponential() {
        let (mean, variance) = moments { $0.exponential() }
        #expect(abs(mean - 1) < 0.012 && abs(variance - 1) < 0.035)
    }

    @Test func normal() {
        let (mean, variance) = moments { $0.normal() }
        #expect(abs(mean) < 0.012 && abs(variance - 1) < 0.017)
    }

    /// Mean and variance are the shape; the variance's standard error grows with the fourth moment, 3 s^2 + 6 s.
    @Test(arguments: [0.125, 0.25, 0.5, 1, 2, 7.5])
    func gamma(shape: Double) {
        let (mean, variance) = moments { $0.gamma(shape: shape) }
        let count = Double(Self.samples)
        #expect(abs(mean - shape) < 5 * (shape / count).squareRoot())
        #expect(abs(variance - shape) < 5 * ((2 * shape * shape + 6 * shape) / count).squareRoot())
    }

    /// The distribution itself, not only two moments: P(x < 0.5) for shapes whose distribution function is elementary.
    @Test func gammaDistribution() {
        var random = SeededRandom(seed: 3)
        let halves = (0..<Self.samples).count { _ in random.gamma(shape: 0.5) < 0.5 }
        #expect(abs(Double(halves) / Double(Self.samples) - erf(0.5.squareRoot())) < 0.006)
        let twos = (0..<Self.samples).count { _ in random.gamma(shape: 2) < 0.5 }
        #expect(abs(Double(twos) / Double(Self.samples) - (1 - 1.5 * exp(-0.5))) < 0.004)
    }
}
