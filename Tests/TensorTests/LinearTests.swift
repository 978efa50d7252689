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
        let xStride = weights.columns + 3, yStride = weights.rows + 5
        let input = AlignedBuffer<Float>(count: x.count * xStride)
        let output = AlignedBuffer<Float>(count: x.count * yStride)
        input.elements.update(repeating: .nan)
        output.elements.update(repeating: -77)
        for (r, row) in x.enumerated() {
            for (i, value) in row.enumerated() { input[r * xStride + i] = value }
            for (o, value) in (previous?[r] ?? []).enumerated() { output[r * yStride + o] = value }
        }
        for range in outputs ?? [0..<weights.rows] {
            kernels.linear(
                y: output.pointer,
                yStride: yStride,
                x: input.pointer,
                xStride: xStride,
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
        (1, 1), (3, 2), (15, 9), (16, 4), (17, 8), (31, 13), (32, 16), (100, 33), (352, 20), (1409, 5),
    ]

    @Test(arguments: Kernels.available, ElementType.allCases)
    func agreesWithTheOracle(kernels: Kernels, type: ElementType) {
        var samples = Samples(seed: 1)
        for (inputs, outputs) in Self.shapes {
            let weights = StoredMatrix(samples.rows(outputs, inputs), type: type)
            for rows in [1, 2, 3, 4, 5, 6, 7, 20] {
                let x = samples.rows(rows, inputs)
                let expected = ScalarOracle.linear(x: x, weights: weights.values)
                let got = Self.linear(kernels, x: x, weights: weights.view)
                for (e, g) in zip(expected, got) {
                    #expect(difference(e, g) < 3e-6, "\(rows) rows, \(inputs) inputs, \(outputs) outputs")
                }
            }
        }
    }

    @Test(arguments: Kernels.available)
    func addsToWhatIsThere(kernels: Kernels) {
        var samples = Samples(seed: 2)
        for rows in [1, 2, 5, 9] {
            let weights = StoredMatrix(samples.rows(11, 40), type: .bf16)
            let x = samples.rows(rows, 40), previous = samples.rows(rows, 11)
            let product = Self.linear(kernels, x: x, weights: weights.view)
            let got = Self.linear(kernels, x: x, weights: weights.view, adding: previous)
            let expected = zip(previous, product).map { zip($0, $1).map { $0 + $1 } }
            #expect(got == expected)
        }
    }

    /// The promise that batching rests on: the same bits alone, in any batch, at any place, however outputs are cut.
    @Test(arguments: Kernels.available, ElementType.allCases)
    func aRowIsTheSameBitsInEveryBatch(kernels: Kernels, type: ElementType) {
        var samples = Samples(seed: 3)
        for (inputs, outputs) in [(16, 8), (37, 21), (128, 40), (515, 19)] {
            let weights = StoredMatrix(samples.rows(outputs, inputs), type: type)
            let x = samples.rows(70, inputs)
            let alone = x.map { Self.linear(kernels, x: [$0], weights: weights.view)[0] }
            for rows in [2, 3, 4, 5, 6, 7, 8, 17, 18, 19, 33, 64, 70] {
                for first in [0, (70 - rows) / 2] {
                    let batch = Array(x[first..<first + rows])
                    let got = Self.linear(kernels, x: batch, weights: weights.view)
                    #expect(got == Array(alone[first..<first + rows]), "\(rows) rows")
                    let cut = [0..<1, 1..<outputs / 2, outputs / 2..<outputs]
                    #expect(Self.linear(kernels, x: batch, weights: weights.view, outputs: cut) == got)
                }
            }
        }
    }

    /// The lanes of both are the same, so a cache computed on one machine is exact on the other.
    @Test(.enabled(if: Kernels(named: "avx512") != nil), arguments: ElementType.allCases)
    func avx2GivesTheBitsOfAVX512(type: ElementType) throws {
        let (narrow, wide) = (try #require(Kernels(named: "avx2")), try #require(Kernels(named: "avx512")))
        var samples = Samples(seed: 4)
        for (inputs, outputs) in Self.shapes {
            let weights = StoredMatrix(samples.rows(outputs, inputs), type: type)
            let x = samples.rows(7, inputs)
            #expect(Self.linear(narrow, x: x, weights: weights.view) == Self.linear(wide, x: x, weights: weights.view))
        }
    }

    @Test(arguments: ElementType.allCases, [false, true])
    func openBLASAgreesWithTheOracle(type: ElementType, adding: Bool) {
        var samples = Samples(seed: 5)
        let (rows, inputs, outputs) = (70, 37, 150)
        let weights = StoredMatrix(samples.rows(outputs, inputs), type: type)
        let x = samples.rows(rows, inputs)
        let y = AlignedBuffer<Float>(count: rows * outputs),
            panel = AlignedBuffer<Float>(count: OpenBLAS.panel * inputs)
        y.elements.update(repeating: 0.5)
        for range in [0..<128, 128..<150] {
            x.flatMap { $0 }.withUnsafeBufferPointer {
                OpenBLAS.linear(
                    y: y.pointer,
                    yStride: outputs,
                    x: $0.baseAddress!,
                    xStride: inputs,
                    rows: rows,
                    weights: weights.view,
                    outputs: range,
                    adding: adding,
                    kernels: .active,
                    scratch: panel.pointer
                )
            }
        }
        let expected = ScalarOracle.linear(x: x, weights: weights.values).flatMap { $0 }.map { $0 + (adding ? 0.5 : 0) }
        #expect(difference(Array(y.elements), expected) < 3e-6)
    }
}
