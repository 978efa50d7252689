// The kernels that walk along a row, against their oracles.

import CKernels
import Glibc
import Tensor
import Testing

@Suite struct RowKernelTests {
    static let widths = [1, 2, 7, 15, 16, 17, 31, 32, 33, 128, 130]

    @Test(arguments: Kernels.available)
    func rmsNorm(kernels: Kernels) {
        var samples = Samples(seed: 1)
        for width in Self.widths {
            let x = samples.rows(3, width), weight = samples.row(width), stride = width + 2
            let buffer = AlignedBuffer<Float>(count: 3 * stride)
            buffer.elements.update(repeating: -77)
            for (r, row) in x.enumerated() { for (i, v) in row.enumerated() { buffer[r * stride + i] = v } }
            kernels.rmsNorm(
                y: buffer.pointer,
                x: buffer.pointer,
                stride: stride,
                rows: 3,
                weight: weight,
                width: width,
                epsilon: 1e-5
            )
            for (r, row) in x.enumerated() {
                let got = Array(buffer.elements[r * stride..<r * stride + width])
                #expect(difference(got, ScalarOracle.rmsNorm(x: row, weight: weight, epsilon: 1e-5)) < 1e-6, "\(width)")
                #expect(buffer[r * stride + width] == -77 && buffer[r * stride + width + 1] == -77)
            }
        }
    }

    @Test(arguments: Kernels.available)
    func siluMultiply(kernels: Kernels) {
        var samples = Samples(seed: 2)
        for width in Self.widths {
            let gate = samples.row(width).map { $0 * 20 }, up = samples.row(width)
            var got = gate + [-77]
            kernels.siluMultiply(gate: &got, up: up, stride: width, rows: 1, width: width)
            #expect(got.last == -77)
            #expect(difference(Array(got.dropLast()), ScalarOracle.siluMultiply(gate: gate, up: up)) < 1e-6)
        }
        var extremes: [Float] = [-1000, -100, -88, 0, 88, 100, 1000]
        kernels.siluMultiply(gate: &extremes, up: Array(repeating: 1, count: 7), stride: 7, rows: 1, width: 7)
        #expect(extremes.map { $0.rounded() } == [0, 0, 0, 0, 88, 100, 1000])
    }

    @Test(arguments: Kernels.available)
    func rope(kernels: Kernels) {
        var samples = Samples(seed: 3)
        for headSize in [2, 6, 16, 32, 34, 64, 128] {
            let angles = samples.row(headSize / 2).map { $0 * 3 }
            let (cosine, sine) = (angles.map { cosf($0) }, angles.map { sinf($0) })
            let heads = samples.rows(3, headSize)
            var got: [Float] = Array(heads.joined()) + [-77]
            kernels.rope(&got, heads: 3, headSize: headSize, cosine: cosine, sine: sine)
            let expected = heads.flatMap { ScalarOracle.rope(head: $0, cosine: cosine, sine: sine) }
            #expect(difference(Array(got.dropLast()), expected) < 1e-6 && got.last == -77)
        }
    }

    /// Within 2 units in the last place over the whole range, and at its ends.
    @Test(arguments: Kernels.available)
    func exponential(kernels: Kernels) {
        var x: [Float] = stride(from: -87.3, through: 88, by: 0.0137).map { Float($0) }
        x += [-0.0, 0, 1, -1, .leastNonzeroMagnitude, 1e-8, -1e-8]
        var y = Array(repeating: Float(0), count: x.count)
        kernels.exponential(y: &y, x: x, count: x.count)
        for (x, y) in zip(x, y) {
            let exact = Glibc.exp(Double(x))
            #expect(abs(Double(y) - exact) <= 2 * Double(Float(exact).ulp), "e^\(x)")
        }
        let ends: [Float] = [-.infinity, -1e30, -104, -87.4, 88, 89, 1e30]
        var results = Array(repeating: Float(0), count: ends.count)
        kernels.exponential(y: &results, x: ends, count: ends.count)
        #expect(results[0...3].allSatisfy { $0 == 0 })
        #expect(results[4...6].allSatisfy { $0 == results[4] && $0.isFinite })
    }

    @Test(arguments: Kernels.available)
    func everyF16AndBF16Expands(kernels: Kernels) {
        // One element more, so that the last goes through the tail.
        let bits = (0...UInt16.max).map { $0 } + [0x3c00]
        for type in [ElementType.f16, .bf16] {
            var got = Array(repeating: Float(0), count: bits.count)
            kernels.toFloat(y: &got, x: bits, type: type, count: bits.count)
            for (bits, got) in zip(bits, got) {
                let expected = type == .f16 ? Float(Float16(bitPattern: bits)) : ScalarOracle.float(bf16: bits)
                #expect(got == expected || (got.isNaN && expected.isNaN), "\(type) \(bits)")
            }
        }
    }

    @Test(arguments: Kernels.available)
    func roundsToBF16(kernels: Kernels) {
        var x: [Float] = [0, -0.0, 1, .infinity, -.infinity, .nan, .greatestFiniteMagnitude, .leastNonzeroMagnitude]
        x += (0..<3).flatMap { above in
            [0x3f80_8000, 0x3f81_8000, 0x3f80_7fff, 0x3f80_8001].map { Float(bitPattern: $0 + UInt32(above)) }
        }
        var samples = Samples(seed: 4)
        x += samples.row(1001).map { $0 * 1e3 }
        x.append(Float(bitPattern: 0x7f80_0001))  // a NaN that rounding could turn into infinity
        var got = Array(repeating: UInt16(0), count: x.count)
        kernels.toBF16(y: &got, x: x, count: x.count)
        for (x, got) in zip(x, got) { #expect(got == ScalarOracle.bf16(x), "\(x)") }
    }

    @Test func kernelsAreChosenByName() {
        #expect(Kernels(named: "portable")?.name == "portable")
        #expect(Kernels(named: "scalar")?.name == "portable")
        #expect(Kernels(named: "avx1024") == nil)
        #expect(Kernels.available.contains { $0.name == Kernels.active.name })
    }
}
