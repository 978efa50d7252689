import Glibc

/// When requests come: gaps of one distribution, squeezed or stretched by a rate that may change.
///
/// An ordinary renewal process: it behaves as if a request had come just before time 0. With a CV^2 above 1 that makes the
/// first seconds a little busier than the rest (by (CV^2 - 1) / 2 requests in all).
package struct ArrivalProcess: Sendable, Hashable {
    /// The distribution of the time between two requests.
    package enum Gaps: Sendable, Hashable {
        /// All the same.
        case constant
        /// Exponential: a Poisson process, requests that know nothing of each other.
        case poisson
        /// Gamma with this square of the coefficient of variation, variance over squared mean. 1 is Poisson, more
        /// is bursty.
        case gamma(squaredVariation: Double)
    }

    /// Requests a second over time.
    package enum Rate: Sendable, Hashable {
        case constant(Double)
        /// Linear from one rate to another in so many seconds, then constant.
        case ramp(from: Double, to: Double, seconds: Double)
    }

    package let gaps: Gaps
    package let rate: Rate

    /// The largest CV^2 that is taken: beyond it a `Double` cannot hold the short gaps apart.
    package static let greatestSquaredVariation = 1000.0

    /// - Throws: for rates and a CV^2 that are no positive numbers, and a ramp that takes no time.
    package init(gaps: Gaps, rate: Rate) throws(WorkloadError) {
        if case .gamma(let variation) = gaps, !(variation > 0 && variation <= Self.greatestSquaredVariation) {
            throw WorkloadError(
                "the CV^2 is \(variation); it must be above 0 and at most \(Int(Self.greatestSquaredVariation))"
            )
        }
        switch rate {
        case .constant(let rate):
            try Self.check(rate, "the rate", allowsZero: false)
        case .ramp(let from, let to, let seconds):
            try Self.check(from, "the rate at the start of the ramp", allowsZero: true)
            try Self.check(to, "the rate at the end of the ramp", allowsZero: false)
            guard seconds > 0 && seconds.isFinite else {
                throw WorkloadError("the ramp takes \(seconds) s; it must be above 0")
            }
        }
        self.gaps = gaps
        self.rate = rate
    }

    private static func check(_ rate: Double, _ name: String, allowsZero: Bool) throws(WorkloadError) {
        guard rate.isFinite && rate <= 1e6 && (rate > 0 || allowsZero && rate == 0) else {
            throw WorkloadError(
                "\(name) is \(rate) requests/s; it must be \(allowsZero ? "at least" : "above") 0 and at most 1000000"
            )
        }
    }

    /// The times of arrivals, without end, ascending.
    package func times(_ random: SeededRandom) -> Times { Times(process: self, random: random) }

    package struct Times: Sequence, IteratorProtocol, Sendable {
        let process: ArrivalProcess
        var random: SeededRandom
        /// Requests that the rate alone would have brought so far: the integral of the rate.
        private var expected = 0.0

        init(process: ArrivalProcess, random: SeededRandom) {
            self.process = process
            self.random = random
        }

        package mutating func next() -> Double? {
            switch process.gaps {
            case .constant: expected += 1
            case .poisson: expected += random.exponential()
            case .gamma(let variation): expected += random.gamma(shape: 1 / variation) * variation
            }
            return process.rate.time(of: expected)
        }
    }
}

extension ArrivalProcess.Rate {
    /// When the integral of the rate reaches `expected`.
    func time(of expected: Double) -> Double {
        switch self {
        case .constant(let rate):
            return expected / rate
        case .ramp(let from, let to, let seconds):
            let whole = (from + to) / 2 * seconds
            guard expected < whole else { return seconds + (expected - whole) / to }
            // from t + slope t^2 / 2 = expected, in the form that does not subtract what is nearly equal.
            let slope = (to - from) / seconds
            return 2 * expected / (from + max(from * from + 2 * slope * expected, 0).squareRoot())
        }
    }
}
