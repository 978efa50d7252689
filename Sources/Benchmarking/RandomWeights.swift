// Random numbers for weights: reproducible by tensor, and fast enough that the disk is what one waits for.

import ModelIO

/// The weights of one tensor, a function of its name and a seed alone.
struct RandomWeights {
    private var state: UInt64

    init(name: String, seed: UInt64) {
        // FNV-1a of the name, so that tensors are independent of each other and of their order.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        state = hash ^ (seed &* 0x9e37_79b9_7f4a_7c15)
    }

    /// Fills a tensor of f32 or bf16 with numbers of standard deviation `spread`, uniform around 0, or with ones.
    mutating func fill(_ buffer: UnsafeMutableRawBufferPointer, dtype: DType, spread: Float?) {
        let isBrain = dtype == .bf16
        guard let spread else {
            let one = Float(1).bitPattern
            if isBrain {
                buffer.bindMemory(to: UInt16.self).update(repeating: UInt16(truncatingIfNeeded: one >> 16))
            } else {
                buffer.bindMemory(to: UInt32.self).update(repeating: one)
            }
            return
        }
        // A uniform number in -1...1 has the standard deviation 1 / sqrt(3). Odd steps, so that none is 0.
        let scale = spread * Float(3).squareRoot() / 65536
        if isBrain {
            fill(buffer.bindMemory(to: UInt16.self), scale: scale) {
                UInt16(truncatingIfNeeded: ($0.bitPattern + 0x8000) >> 16)
            }
        } else {
            fill(buffer.bindMemory(to: Float.self), scale: scale) { $0 }
        }
    }

    /// Four numbers from 64 bits: sixteen bits each are more than bf16 can tell apart.
    @inline(__always)
    private mutating func fill<Element>(
        _ elements: UnsafeMutableBufferPointer<Element>,
        scale: Float,
        convert: (Float) -> Element
    ) {
        var index = 0
        while index < elements.count {
            var bits = next()
            let end = min(index + 4, elements.count)
            while index < end {
                let odd = Int32(truncatingIfNeeded: bits & 0xffff) * 2 - 65535
                elements[index] = convert(Float(odd) * scale)
                bits >>= 16
                index += 1
            }
        }
    }

    /// SplitMix64.
    private mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
