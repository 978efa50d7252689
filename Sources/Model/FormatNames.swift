// How files name the formats of weights, and how the kernels do.

import ModelIO
import Tensor

extension WeightFormat {
    /// The same layout, as ``ModelIO`` names it.
    public init(_ packing: PackedFormat) {
        self =
            switch packing {
            case .bf16: .bf16
            case .int8: .int8
            case .int4: .int4
            }
    }
}

extension ElementType {
    /// - Precondition: `dtype.isWeightType`, which a checkpoint's check has seen to.
    init(_ dtype: DType) {
        switch dtype {
        case .f32: self = .f32
        case .bf16: self = .bf16
        case .f16: self = .f16
        default: preconditionFailure("\(dtype) is no type of weights")
        }
    }
}
