// The rotations of rotary position embedding, computed once.

import Glibc
import Tensor

/// Cosines and sines `[positions, headSize / 2]` of `position * theta^(-2 i / headSize)`.
///
/// Frequencies and angles are rounded to f32 before the cosine, as the models were trained with.
struct RotaryTable: ~Copyable {
    private let cosines: AlignedBuffer<Float>
    private let sines: AlignedBuffer<Float>
    private let half: Int

    init(positions: Int, headSize: Int, theta: Double) {
        half = headSize / 2
        cosines = AlignedBuffer(count: positions * half)
        sines = AlignedBuffer(count: positions * half)
        let frequencies = (0..<half).map { Float(1 / pow(theta, Double(2 * $0) / Double(headSize))) }
        for position in 0..<positions {
            for (index, frequency) in frequencies.enumerated() {
                let angle = Double(Float(position) * frequency)
                cosines.pointer[position * half + index] = Float(cos(angle))
                sines.pointer[position * half + index] = Float(sin(angle))
            }
        }
    }

    /// `[headSize / 2]`
    func cosine(_ position: Int) -> UnsafePointer<Float> { UnsafePointer(cosines.pointer + position * half) }
    /// `[headSize / 2]`
    func sine(_ position: Int) -> UnsafePointer<Float> { UnsafePointer(sines.pointer + position * half) }
}
