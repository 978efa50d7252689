// Packing keeps numbers, or quantises them as near as the format can.

import Tensor
import Testing

@Suite struct PackingTests {
    @Test(arguments: ElementType.allCases)
    func floatsAreKept(type: ElementType) {
        var samples = Samples(seed: 1)
        for (outputs, inputs) in [(1, 1), (31, 7), (32, 32), (33, 64), (70, 101)] {
            let rows = samples.rows(outputs, inputs)
            let stored = StoredMatrix(rows, type: type)
            #expect(PackedMatrix(rows, format: WeightFormat(type), from: type).values == stored.values)
            #expect(PackedMatrix(rows, format: .f32, from: type).values == stored.values)
        }
    }

    /// Every number lies within half a step of its group's scale, and the largest within a step of f16's rounding.
    @Test(arguments: [(WeightFormat.int8, Float(127)), (.int4, 7)])
    func integersAreNear(format: WeightFormat, steps: Float) {
        var samples = Samples(seed: 2)
        for magnitude: Float in [1e-3, 1, 1e3] {
            let rows = samples.rows(40, 96).map { $0.map { $0 * magnitude } }
            let packed = PackedMatrix(rows, format: format).values
            var error = 0.0, evenRounding = 0.0  // sums of squares
            for (row, got) in zip(rows, packed) {
                for first in stride(from: 0, to: 96, by: WeightFormat.group) {
                    let group = first..<first + WeightFormat.group
                    let largest = row[group].map(abs).max()!
                    // int4's eight steps below zero may be spent on a scale that cuts the largest number a little.
                    let limit = largest / steps * (format == .int4 ? 1.25 : 0.51)
                    #expect(zip(row[group], got[group]).allSatisfy { abs($0 - $1) <= limit })
                    error += zip(row[group], got[group]).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
                    evenRounding += Double(32 * largest * largest / steps / steps / 12)
                }
            }
            #expect(error < 1.05 * evenRounding, "worse than even rounding to \(steps) steps")
        }
    }

    @Test(arguments: [WeightFormat.int8, .int4])
    func zerosStayZeros(format: WeightFormat) {
        let zeros = Array(repeating: Array(repeating: Float(0), count: 64), count: 33)
        #expect(PackedMatrix(zeros, format: format).values == zeros)
    }

    @Test func sizesAreWhatTheLayoutSays() {
        #expect(WeightFormat.f32.byteCount(outputs: 33, inputs: 5) == 2 * 32 * 5 * 4)
        #expect(WeightFormat.bf16.byteCount(outputs: 32, inputs: 5) == 32 * 6 * 2)
        #expect(WeightFormat.int8.byteCount(outputs: 64, inputs: 64) == 64 * 64 + 64 * 2 * 2)
        #expect(WeightFormat.int4.byteCount(outputs: 64, inputs: 64) == 64 * 64 / 2 + 64 * 2 * 2)
        #expect(!WeightFormat.int8.allows(inputs: 40) && WeightFormat.bf16.allows(inputs: 40))
    }
}
