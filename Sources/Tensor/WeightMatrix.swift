// A matrix of weights, packed into panels, where it lies.

import CKernels

/// How stored numbers are written one by one: keys and values, weights in a file of the usual formats.
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

/// How packed weights are written; the layouts are in `CKernels.h`.
public enum WeightFormat: String, Sendable, Hashable, CaseIterable {
    case f32
    case f16
    case bf16
    /// 8 bits and a scale for each group of 32 inputs of an output: 8.5 bits a weight.
    case int8
    /// 4 bits and a scale for each group: 4.5 bits a weight.
    case int4

    /// Outputs of a panel; the last panel of a matrix is padded to it.
    public static let panel = Int(CK_PANEL)
    /// Inputs that share a scale in the integer formats.
    public static let group = Int(CK_GROUP)

    /// The format that keeps every number of `type` as it is.
    public init(_ type: ElementType) {
        self =
            switch type {
            case .f32: .f32
            case .bf16: .bf16
            case .f16: .f16
            }
    }

    public var isInteger: Bool { self == .int8 || self == .int4 }

    /// Whether matrices of so many inputs can be written so: the integer formats want whole groups.
    public func allows(inputs: Int) -> Bool { !isInteger || inputs.isMultiple(of: Self.group) }

    /// Bytes of a panel of `inputs` inputs.
    public func panelBytes(inputs: Int) -> Int { ck_panel_bytes(cValue, inputs) }

    /// Bytes of a matrix, padding included.
    public func byteCount(outputs: Int, inputs: Int) -> Int {
        (outputs + Self.panel - 1) / Self.panel * panelBytes(inputs: inputs)
    }

    package var cValue: ck_format {
        switch self {
        case .f32: CK_PANEL_F32
        case .f16: CK_PANEL_F16
        case .bf16: CK_PANEL_BF16
        case .int8: CK_PANEL_INT8
        case .int4: CK_PANEL_INT4
        }
    }
}

/// An unowned, read-only view of a packed weight matrix `[rows, columns]` (outputs, inputs).
///
/// Whoever makes the view keeps the memory alive and unchanged as long as the view is used.
public struct WeightMatrix: @unchecked Sendable {  // proof: constants only; the memory behind the pointer never changes
    /// The first panel. Any alignment does; on a cache line it is fastest.
    public let pointer: UnsafeRawPointer
    public let format: WeightFormat
    /// Outputs.
    public let rows: Int
    /// Inputs.
    public let columns: Int
    /// Bytes from one panel to the next.
    public let panelBytes: Int

    /// - Precondition: `format.allows(inputs: columns)`
    public init(_ pointer: UnsafeRawPointer, format: WeightFormat, rows: Int, columns: Int) {
        precondition(rows >= 0 && columns >= 0 && format.allows(inputs: columns))
        self.pointer = pointer
        self.format = format
        self.rows = rows
        self.columns = columns
        panelBytes = format.panelBytes(inputs: columns)
    }

    public var byteCount: Int { format.byteCount(outputs: rows, inputs: columns) }

    /// The panel that begins with output `output`, a multiple of ``WeightFormat/panel``.
    func panel(from output: Int) -> UnsafeRawPointer {
        pointer + output / WeightFormat.panel * panelBytes
    }

    /// The weights `[columns]` of one output, as products see them: an embedding, when the matrix is a tied head.
    public func copyRow(_ row: Int, to destination: UnsafeMutablePointer<Float>) {
        ck_unpack_row(destination, pointer, format.cValue, columns, row)
    }

    /// Writes rows of plain numbers as panels, rounding or quantising them to `format`.
    ///
    /// - Parameters:
    ///   - destination: the panel that the first of the rows begins
    ///   - weights: `[outputs, inputs]`, row-major, at any alignment
    public static func pack(
        into destination: UnsafeMutableRawPointer,
        format: WeightFormat,
        weights: UnsafeRawPointer,
        type: ElementType,
        outputs: Int,
        inputs: Int
    ) {
        precondition(format.allows(inputs: inputs))
        ck_pack(destination, format.cValue, weights, type.cValue, outputs, inputs)
    }
}
