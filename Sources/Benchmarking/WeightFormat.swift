// How a checkpoint's weights are written, and what multiplies them at best.

import ModelIO

/// The format of weights, by the name that `--dtype` and reports use.
public enum WeightFormat: String, Sendable, CaseIterable {
    case f32
    case f16
    case bf16
    case int8
    case int4

    /// The format of a checkpoint's large matrices.
    init(_ checkpoint: Checkpoint) {
        let queries = TensorName.query(layer: 0, chain: TensorName.firstChain).description
        switch checkpoint.files[0][queries]?.dtype {
        case .f32: self = .f32
        case .f16: self = .f16
        case .bf16: self = .bf16
        case .u8: self = .int4
        default: self = .int8
        }
    }

    var name: String { rawValue }

    /// The arithmetic whose peak a product with such weights can reach.
    var arithmetic: MachineLimits.Arithmetic {
        switch self {
        case .f32, .f16: .f32
        case .bf16: .bf16
        case .int8, .int4: .int8
        }
    }
}
