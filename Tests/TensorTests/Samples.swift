// Numbers for the tests: seeded, so that a failure can be run again.

import Tensor
import Testing

struct Samples {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    private mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Evenly from -1 to 1.
    mutating func float() -> Float { Float(Int64(next() >> 40)) / Float(1 << 23) - 1 }

    mutating func row(_ count: Int) -> [Float] { (0..<count).map { _ in float() } }

    mutating func rows(_ rows: Int, _ columns: Int) -> [[Float]] { (0..<rows).map { _ in row(columns) } }
}

/// A matrix in memory as a file has it, row-major, at an address that is not aligned, with the values it really holds.
final class StoredMatrix {
    let values: [[Float]]
    let type: ElementType
    let start: UnsafeMutableRawPointer
    private let memory: UnsafeMutableRawPointer

    init(_ rows: [[Float]], type: ElementType) {
        let columns = rows.first?.count ?? 0
        memory = .allocate(byteCount: rows.count * columns * type.byteCount + 1, alignment: 64)
        let start = memory + 1
        var values = rows
        for (r, row) in rows.enumerated() {
            for (c, value) in row.enumerated() {
                let place = (r * columns + c) * type.byteCount
                switch type {
                case .f32:
                    start.storeBytes(of: value, toByteOffset: place, as: Float.self)
                case .bf16:
                    let bits = ScalarOracle.bf16(value)
                    start.storeBytes(of: bits, toByteOffset: place, as: UInt16.self)
                    values[r][c] = ScalarOracle.float(bf16: bits)
                case .f16:
                    start.storeBytes(of: Float16(value).bitPattern, toByteOffset: place, as: UInt16.self)
                    values[r][c] = Float(Float16(value))
                }
            }
        }
        self.values = values
        self.type = type
        self.start = start
    }

    deinit { memory.deallocate() }
}

/// A packed matrix, at an address that is not aligned, with the values that products see.
final class PackedMatrix {
    let values: [[Float]]
    let view: WeightMatrix
    private let memory: UnsafeMutableRawPointer

    init(_ rows: [[Float]], format: WeightFormat, from type: ElementType = .f32) {
        let outputs = rows.count, inputs = rows.first?.count ?? 0
        let bytes = format.byteCount(outputs: outputs, inputs: inputs)
        memory = .allocate(byteCount: bytes + 64, alignment: 64)
        memory.initializeMemory(as: UInt8.self, repeating: 0xff, count: bytes + 64)
        let stored = StoredMatrix(rows, type: type)
        WeightMatrix.pack(
            into: memory + 4,
            format: format,
            weights: stored.start,
            type: type,
            outputs: outputs,
            inputs: inputs
        )
        let view = WeightMatrix(memory + 4, format: format, rows: outputs, columns: inputs)
        values = (0..<outputs).map { row in
            [Float](unsafeUninitializedCapacity: inputs) { buffer, count in
                view.copyRow(row, to: buffer.baseAddress!)
                count = inputs
            }
        }
        self.view = view
    }

    deinit { memory.deallocate() }
}

/// The largest difference of two results, relative to the largest number in them (at least 1).
func difference(_ a: [Float], _ b: [Float]) -> Float {
    precondition(a.count == b.count)
    let scale = max(1, (a + b).map(abs).max() ?? 1)
    // A NaN must not pass for no difference.
    return zip(a, b).map { ($0 - $1).isNaN ? .infinity : abs($0 - $1) / scale }.max() ?? 0
}

extension Kernels: CustomTestStringConvertible {
    public var testDescription: String { name }
}
