// The linear kernels against their oracle, and that a row's bits depend on nothing but the row.

import Tensor
import Testing

@Suite struct LinearTests {
    /// Runs a kernel with strides wider than the rows; what lies between must stay as it was.
    static func linear(
        _ kernels: Kernels,
        x: [[Float]],
        weights: WeightMatrix,
        outputs: [Range<Int>]? = nil,
        adding previous: [[Float]]? = nil
    ) -> [[Float]] {
        let form = kernels.form(for: weights.format)
        let inputStride = form.byteCount(weights.columns) + 6, yStride = weights.rows + 5
        let input = AlignedBuffer<UInt8>(count: x.count * inputStride)
        let output = AlignedBuffer<Float>(count: x.count * yStride)
        input.elements.update(repeating: 0xff)  // not-a-numbers where nothing is written
        output.elements.update(repeating: -77)
        let activations = Activations(input.pointer, stride: inputStride, form: form)
        for (r, row) in x.enumerated() {
            kernels.prepare(row, stride: 0, rows: 1, width: row.count, as: activations.from(row: r))
            for (o, value) in (previous?[r] ?? []).enumerated() { output[r * yStride + o] = value }
        }
        for range in outputs ?? [0..<weights.rows] {
            kernels.linear(
                y: output.pointer,
                yStride: yStride,
                x: activations,
                rows: x.count,
                weights: weights,
                outputs: range,
                adding: previous != nil
            )
        }
        return x.indices.map { r in
            let row = output.elements[r * yStride..<(r + 1) * yStride]
            #expect(row.suffix(5).allSatisfy { $0 == -77 }, "wrote beyond its outputs")
            return Array(row.prefix(weights.rows))
        }
    }

    static let shapes = [
        (1, 1), (3, 2), (15, 9), (16, 4), (17, 8), (31, 33), (32, 16), (64, 64), (96, 70), (100, 33), (352, 20),
        (1409, 5),
    ]
    static func shapes(for format: WeightFormat) -> [(Int, Int)] { shapes.filter { format.allows(inputs: $0.0) } }

    @Test(arguments: Kernels.available, WeightFormat.allCases)
    func agreesWithTheOracle(kernels: Kernels, format: WeightFormat) {
        var samples = Samples(seed: 1)
        for (inputs, outputs) in Self.shapes(for: format) {
            let weights = PackedMatrix(samples.rows(outputs, inputs), format: format)
            for rows in [1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 29] {
                let x = samples.rows(rows, inputs)
                let seen = x.map { ScalarOracle.prepared($0, as: kernels.form(for: format)) }
                let expected = ScalarOracle.linear(x: seen, weights: weights.values)
                let got = Self.linear(kernels, x: x, weights: weights.view)
                for (e, g) in zip(expected, got) {
                    #expect(difference(e, g) < 6e-6, "\(rows) rows, \(inputs) inputs, \(outputs) outputs")
                }
            }
        }
    }

    @Test(arguments: Kernels.available, WeightFormat.allCases)
    func addsToWhatIsThere(kernels: Kernels, format: WeightFormat) {
        var samples = Samples(seed: 2)
        for rows in [1, 2, 5, 9] {
            let weights = PackedMatrix(samples.rows(43, 64), format: format)
            let x = samples.rows(rows, 64), previous = samples.rows(rows, 43)
            let product = Self.linear(kernels, x: x, weights: weights.view)
            let got = Self.linear(kernels, x: x, weights: weights.view, adding: previous)
            let expected = zip(previous, product).map { zip($0, $1).map { $0 + $1 } }
            #expect(got == expected)
        }
    }

    /// The promise that batching rests on: the same bits alone, in any batch, at any place, however outputs are cut.
    @Test(arguments: Kernels.available, WeightFormat.allCases)
    func aRowIsTheSameBitsInEveryBatch(kernels: Kernels, format: WeightFormat) {
        var samples = Samples(seed: 3)
        for (inputs, outputs) in [(16, 8), (37, 71), (128, 100), (544, 40)] where format.allows(inputs: inputs) {
            let weights = PackedMatrix(samples.rows(outputs, inputs), format: format)
            let x = samples.rows(70, inputs)
            let alone = x.map { Self.linear(kernels, x: [$0], weights: weights.view)[0] }
            for rows in [2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 23, 24, 33, 64, 70] {
                for first in [0, (70 - rows) / 2] {
                    let batch = Array(x[first..<first + rows])
                    let got = Self.linear(kernels, x: batch, weights: weights.view)
                    #expect(got == Array(alone[first..<first + rows]), "\(rows) rows")
                    let panel = WeightFormat.panel
                    let cut = stride(from: 0, to: outputs, by: panel).map { $0..<min($0 + panel, outputs) }
                    #expect(Self.linear(kernels, x: batch, weights: weights.view, outputs: cut) == got)
                }
            }
        }
    }

    /// The lanes of both are the same, so a cache computed on one machine is exact on the other; and integers are exact on all.
    @Test(.enabled(if: Kernels(named: "avx512") != nil), arguments: WeightFormat.allCases)
    func processorsAgreeBitForBit(format: WeightFormat) throws {
        let wide = try #require(Kernels(named: "avx512"))
        var others = [try #require(Kernels(named: "avx2"))]
        if let bf16 = Kernels(named: "avx512bf16"), format != .bf16 { others.append(bf16) }
        var samples = Samples(seed: 4)
        for (inputs, outputs) in Self.shapes(for: format) {
            let weights = PackedMatrix(samples.rows(outputs, inputs), format: format)
            let x = samples.rows(7, inputs)
            let expected = Self.linear(wide, x: x, weights: weights.view)
            for other in others { #expect(Self.linear(other, x: x, weights: weights.view) == expected) }
        }
    }

    /// Bytes that our quantiser never writes, as a file of others may have them: 0, a weight of -128.
    @Test(arguments: Kernels.available)
    func everyStoredByteOfInt8IsAWeight(kernels: Kernels) {
        let (inputs, outputs, rows) = (64, 32, 5)
        let weights = PackedMatrix(Array(repeating: Array(repeating: 1, count: inputs), count: outputs), format: .int8)
        let groupBytes = WeightFormat.int8.panelBytes(inputs: WeightFormat.group), scaleBytes = 2 * WeightFormat.panel
        let stored = UnsafeMutableRawPointer(mutating: weights.view.pointer)
        for place in 0..<weights.view.byteCount where place % groupBytes >= scaleBytes {
            stored.storeBytes(
                of: place % 3 == 0 ? 0 : UInt8(truncatingIfNeeded: place),
                toByteOffset: place,
                as: UInt8.self
            )
        }
        let values = (0..<outputs).map { row in
            [Float](unsafeUninitializedCapacity: inputs) { buffer, count in
                weights.view.copyRow(row, to: buffer.baseAddress!)
                count = inputs
            }
        }
        var samples = Samples(seed: 6)
        // The largest activations of both signs, in pairs: what 16-bit sums must hold.
        let x =
            [Array(repeating: Float(1), count: inputs), Array(repeating: Float(-1), count: inputs)]
            + samples.rows(rows - 2, inputs)
        let seen = x.map { ScalarOracle.prepared($0, as: kernels.form(for: .int8)) }
        let expected = ScalarOracle.linear(x: seen, weights: values)
        for (e, g) in zip(expected, Self.linear(kernels, x: x, weights: weights.view)) {
            #expect(difference(e, g) < 6e-6)
        }
    }

    @Test(arguments: [WeightFormat.f32, .f16, .bf16], [false, true])
    func openBLASAgreesWithTheOracle(format: WeightFormat, adding: Bool) {
        var samples = Samples(seed: 5)
        let (rows, inputs, outputs) = (70, 37, 150)
        let weights = PackedMatrix(samples.rows(outputs, inputs), format: format)
        let x = samples.rows(rows, inputs)
        let y = AlignedBuffer<Float>(count: rows * outputs),
            panel = AlignedBuffer<Float>(count: WeightFormat.panel * inputs)
        y.elements.update(repeating: 0.5)
        var input = x.flatMap { $0 }
        for range in [0..<128, 128..<150] {
            input.withUnsafeMutableBytes {
                OpenBLAS.linear(
                    y: y.pointer,
                    yStride: outputs,
                    x: Activations($0.baseAddress!, stride: 4 * inputs, form: .f32),
                    rows: rows,
                    weights: weights.view,
                    outputs: range,
                    adding: adding,
                    scratch: panel.pointer
                )
            }
        }
        let expected = ScalarOracle.linear(x: x, weights: weights.values).flatMap { $0 }.map { $0 + (adding ? 0.5 : 0) }
        #expect(difference(Array(y.elements), expected) < 3e-6)
    }
}
