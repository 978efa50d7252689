// The element types a safetensors file can hold, with the sizes that its length checks need.

/// The type of a tensor's elements, as safetensors names it.
public enum DType: String, Sendable, Hashable, CaseIterable {
    case f64 = "F64"
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    case i64 = "I64"
    case i32 = "I32"
    case i16 = "I16"
    case i8 = "I8"
    case u8 = "U8"
    case bool = "BOOL"

    /// The name in a safetensors header, `"BF16"` for example.
    public var safetensorsName: String { rawValue }

    /// Bytes per element; also the alignment that typed access needs.
    public var byteCount: Int {
        switch self {
        case .f64, .i64: 8
        case .f32, .i32: 4
        case .f16, .bf16, .i16: 2
        case .i8, .u8, .bool: 1
        }
    }

    /// Whether model weights may have this type.
    public var isWeightType: Bool {
        switch self {
        case .f32, .f16, .bf16: true
        case .f64, .i64, .i32, .i16, .i8, .u8, .bool: false
        }
    }
}
