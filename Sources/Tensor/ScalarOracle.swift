// The kernels' naive twins: what each has to compute, in the plainest way, summed in Double.

import Glibc

/// One naive function a kernel. Slow and obviously right; tests compare every kernel set with it.
package enum ScalarOracle {
    /// `y[r][o] = sum_i x[r][i] * weights[o][i]`
    package static func linear(x: [[Float]], weights: [[Float]]) -> [[Float]] {
        x.map { row in
            weights.map { weight in Float(zip(row, weight).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }) }
        }
    }

    /// What a product sees of activations in a form.
    package static func prepared(_ x: [Float], as form: ActivationForm) -> [Float] {
        switch form {
        case .f32: return x
        case .bf16: return x.map { float(bf16: bf16($0)) }
        case .int8:
            return stride(from: 0, to: x.count, by: WeightFormat.group).flatMap { first in
                let group = x[first..<first + WeightFormat.group]
                let largest = group.map(abs).max() ?? 0
                return group.map { value in
                    largest > 0 ? (value * (127 / largest)).rounded(.toNearestOrEven) * (largest / 127) : 0
                }
            }
        }
    }

    /// `y = x / sqrt(mean(x^2) + epsilon) * weight`
    package static func rmsNorm(x: [Float], weight: [Float], epsilon: Float) -> [Float] {
        let square = x.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(x.count)
        let scale = 1 / (square + Double(epsilon)).squareRoot()
        return zip(x, weight).map { Float(Double($0) * scale * Double($1)) }
    }

    /// `silu(gate) * up`, `silu(x) = x / (1 + e^-x)`
    package static func siluMultiply(gate: [Float], up: [Float]) -> [Float] {
        zip(gate, up).map { Float(Double($0) / (1 + exp(-Double($0))) * Double($1)) }
    }

    /// One head rotated: dimension `i` with dimension `i + headSize / 2`, by the angle whose cosine and sine are given.
    package static func rope(head: [Float], cosine: [Float], sine: [Float]) -> [Float] {
        let half = head.count / 2
        return head.indices.map { index in
            let partner = index < half ? -head[index + half] : head[index - half]
            let angle = index % half
            return Float(Double(head[index]) * Double(cosine[angle]) + Double(partner) * Double(sine[angle]))
        }
    }

    /// `softmax(query . keys^T / sqrt(headSize)) . values` for one head
    package static func attention(query: [Float], keys: [[Float]], values: [[Float]]) -> [Float] {
        let scale = 1 / Double(query.count).squareRoot()
        let scores = keys.map { key in zip(query, key).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } * scale }
        let highest = scores.max() ?? 0
        let weights = scores.map { exp($0 - highest) }
        let total = weights.reduce(0, +)
        return query.indices.map { dimension in
            Float(zip(weights, values).reduce(0.0) { $0 + $1.0 * Double($1.1[dimension]) } / total)
        }
    }

    /// The bits of `x` rounded to bf16: the nearest, of two equally near the even one.
    package static func bf16(_ x: Float) -> UInt16 {
        if x.isNaN { return UInt16(x.bitPattern >> 16) | 0x40 }
        let below = x.bitPattern >> 16
        let rest = x.bitPattern & 0xffff
        let isUp = rest > 0x8000 || (rest == 0x8000 && below & 1 == 1)
        return UInt16(below + (isUp ? 1 : 0))
    }

    package static func float(bf16: UInt16) -> Float { Float(bitPattern: UInt32(bf16) << 16) }
}
