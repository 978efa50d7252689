// A matrix of stored weights, where it lies.

import CKernels

/// How stored numbers are written. Activations are always f32.
public enum ElementType: Sendable, Hashable, CaseIterable {
    case f32
    case bf16
    case f16

    public var byteCount: Int { self == .f32 ? 4 : 2 }

    package var cValue: ck_dtype {
        switch self {
        case .f32: CK_F32
        case .bf16: CK_BF16
        case .f16: CK_F16
        }
    }
}

/// An unowned, read-only view of a weight matrix `[rows, columns]` (outputs, inputs), row-major, in its stored type.
///
/// Whoever makes the view keeps the memory alive and unchanged as long as the view is used.
public struct WeightMatrix: @unchecked Sendable {  // proof: constants only; the memory behind the pointer never changes
    /// The first weight. Any alignment: a safetensors file promises none.
    public let pointer: UnsafeRawPointer
    public let type: ElementType
    /// Outputs.
    public let rows: Int
    /// Inputs.
    public let columns: Int

    public init(_ pointer: UnsafeRawPointer, type: ElementType, rows: Int, columns: Int) {
        precondition(rows >= 0 && columns >= 0)
        self.pointer = pointer
        self.type = type
        self.rows = rows
        self.columns = columns
    }

    public var byteCount: Int { rows * columns * type.byteCount }

    /// The first weight of row `row`.
    public func row(_ row: Int) -> UnsafeRawPointer {
        pointer + row * columns * type.byteCount
    }
}
