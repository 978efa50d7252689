/// A uniform random number in [0, 1) that depends on nothing but `seed` and `index`.
///
/// Counter-based instead of stateful, so that an answer's random numbers survive preemption, batching and a change
/// of chains: token `index` of a request draws the same number however the request got there. The mixing function is
/// SplitMix64's finaliser (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014), applied
/// once to the seed and once to the sum, so that neighbouring seeds have unrelated sequences.
public func uniformRandom(seed: UInt64, index: Int) -> Double {
    let counter = UInt64(truncatingIfNeeded: index) &+ 1
    let bits = mix(mix(seed) &+ counter &* 0x9E37_79B9_7F4A_7C15)
    return Double(bits >> 11) * 0x1p-53
}

private func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
}
