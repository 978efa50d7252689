import Glibc

/// Random numbers that a seed repeats on every machine: SplitMix64 (Steele, Lea and Flood, 2014) and what is made of it.
///
/// A seed has independent streams, so that arrivals stay where they are when lengths are drawn another way.
package struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// - Parameter stream: which of the seed's sequences.
    package init(seed: UInt64, stream: UInt64 = 0) {
        state = Self.mix(Self.mix(seed) ^ (stream &+ 1) &* 0xD134_2543_DE82_EF95)
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mix(state)
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Evenly from the open interval (0, 1): a logarithm of it is finite.
    package mutating func uniform() -> Double {
        (Double(next() >> 11) + 0.5) * 0x1p-53
    }

    /// Evenly from the numbers of `range`.
    package mutating func integer(in range: ClosedRange<Int>) -> Int {
        Int.random(in: range, using: &self)
    }

    /// The exponential distribution of mean 1.
    package mutating func exponential() -> Double { -log(uniform()) }

    /// The normal distribution of mean 0 and variance 1: Marsaglia's polar method (1964).
    package mutating func normal() -> Double {
        while true {
            let x = 2 * uniform() - 1
            let y = 2 * uniform() - 1
            let square = x * x + y * y
            if square < 1 { return x * (-2 * log(square) / square).squareRoot() }
        }
    }

    /// The gamma distribution of scale 1, whose mean and variance are `shape`: Marsaglia and Tsang (2000).
    ///
    /// - Precondition: `shape > 0`. Below about 0.01 most values are too small for a `Double` and come out as 0.
    package mutating func gamma(shape: Double) -> Double {
        precondition(shape > 0)
        // Their method needs a shape of at least 1; a smaller one is that of one more, times a power of a uniform.
        if shape < 1 { return gamma(shape: shape + 1) * pow(uniform(), 1 / shape) }
        let d = shape - 1.0 / 3
        let c = 1 / (9 * d).squareRoot()
        while true {
            let x = normal()
            let root = 1 + c * x
            guard root > 0 else { continue }
            let v = root * root * root
            if log(uniform()) < 0.5 * x * x + d - d * v + d * log(v) { return d * v }
        }
    }
}
