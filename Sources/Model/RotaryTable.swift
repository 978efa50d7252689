// The rotations of rotary position embedding, computed once.

import Glibc
import Tensor

/// Cosines and sines `[positions, headSize / 2]` of `position * theta^(-2 i / headSize)`.
///
/// Frequencies and angles are rounded to f32 before the cosine, as the models were trained with. The table grows with the
/// longest sequence: a model made for 131,072 positions would need tens of megabytes that hardly anyone uses.
struct RotaryTable: ~Copyable {
    private var cosines = AlignedBuffer<Float>(count: 0)
    private var sines = AlignedBuffer<Float>(count: 0)
    private let frequencies: [Float]

    init(headSize: Int, theta: Double) {
        frequencies = (0..<headSize / 2).map { Float(1 / pow(theta, Double(2 * $0) / Double(headSize))) }
    }

    /// Makes the table anew, for the positions `0..<positions`.
    mutating func fill(positions: Int) {
        let half = frequencies.count
        cosines = AlignedBuffer(count: positions * half)
        sines = AlignedBuffer(count: positions * half)
        for position in 0..<positions {
            for (index, frequency) in frequencies.enumerated() {
                let angle = Double(Float(position) * frequency)
                cosines.pointer[position * half + index] = Float(cos(angle))
                sines.pointer[position * half + index] = Float(sin(angle))
            }
        }
    }

    /// `[headSize / 2]`
    func cosine(_ position: Int) -> UnsafePointer<Float> {
        UnsafePointer(cosines.pointer + position * frequencies.count)
    }

    /// `[headSize / 2]`
    func sine(_ position: Int) -> UnsafePointer<Float> {
        UnsafePointer(sines.pointer + position * frequencies.count)
    }
}
