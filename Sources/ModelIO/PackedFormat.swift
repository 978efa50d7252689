// How large packed matrices are: what the checks of a packed checkpoint need. The layouts are those of the kernels
// (CKernels.h); Tensor's `WeightFormat` has the same sizes, and a test holds the two together.

/// How the matrices of a packed checkpoint are written: panels of 32 outputs, as products read them.
public enum PackedFormat: String, Sendable, Hashable, CaseIterable {
    /// 16 bits a weight.
    case bf16
    /// 8 bits, and an f16 scale for each group of 32 inputs of an output: 8.5 bits a weight.
    case int8
    /// 4 bits and the scale: 4.5 bits a weight.
    case int4

    /// Outputs of a panel; the last one of a matrix is padded to it.
    public static let panel = 32
    /// Inputs that share a scale.
    public static let group = 32

    public var isInteger: Bool { self != .bf16 }

    /// The largest weight that can be written: scales are f16, up to 65504.
    public var largestMagnitude: Float {
        switch self {
        case .bf16: Float(bitPattern: 0x7F7F_0000)
        case .int8: 65504 * 127
        case .int4: 65504 * 6
        }
    }

    /// Bytes of a panel of `inputs` inputs, a multiple of ``group`` for the integer formats.
    public func panelBytes(inputs: Int) -> Int {
        let scales = inputs / Self.group * Self.panel * 2
        return switch self {
        case .bf16: (inputs + 1) / 2 * 2 * Self.panel * 2
        case .int8: scales + inputs * Self.panel
        case .int4: scales + inputs * Self.panel / 2
        }
    }

    /// The shape of the `U8` tensor that holds a matrix `[outputs, inputs]`: `[panels, bytes of a panel]`.
    public func shape(outputs: Int, inputs: Int) -> [Int] {
        [(outputs + Self.panel - 1) / Self.panel, panelBytes(inputs: inputs)]
    }
}
