// Sixteen logits at a time: loading them, and e^x.

typealias Lanes = SIMD16<Float>

extension UnsafeBufferPointer<Float> {
    /// Elements `start ..< start + 16`, with not-a-numbers beyond the end.
    @inline(__always)
    func lanes(from start: Int) -> Lanes {
        if start + 16 <= count {
            return UnsafeRawPointer(baseAddress! + start).loadUnaligned(as: Lanes.self)
        }
        var lanes = Lanes(repeating: .nan)
        for index in start..<count { lanes[index - start] = self[index] }
        return lanes
    }
}

/// `e^x` for x <= 0, within 2 units in the last place; 0 below -87.3 and for not-a-numbers.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial of degree 7 in r (Cephes `expf`), scaled by 2^n. Some thirty
/// instructions that any processor has, for 16 numbers; the C library takes as many nanoseconds for four.
@inline(__always)
func exponential(_ x: Lanes) -> Lanes {
    let isVisible = x .>= -87.3
    // Adding 1.5 * 2^23 rounds to an integer, which then stands in the lowest bits.
    let shifted = x * 1.44269504 + 12_582_912
    let n = shifted - 12_582_912
    let r = x - n * 0.693359375 + n * 2.12194440e-4
    var p = r * 1.9875691500e-4 + 1.3981999507e-3
    p = p * r + 8.3334519073e-3
    p = p * r + 4.1665795894e-2
    p = p * r + 1.6666665459e-1
    p = p * r + 5.0000001201e-1
    p = p * (r * r) + r + 1
    let power = (unsafeBitCast(shifted, to: SIMD16<UInt32>.self) &+ 127) &<< 23
    return Lanes(repeating: 0).replacing(with: p * unsafeBitCast(power, to: Lanes.self), where: isVisible)
}
