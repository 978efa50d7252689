// The inputs of products, in the form that the weights' format is multiplied with.

import CKernels

/// How activations are written for a product.
public enum ActivationForm: Sendable, Hashable, CaseIterable {
    case f32
    /// Rounded to bf16, for processors that multiply bf16.
    case bf16
    /// Groups of 32 numbers as int8, each group with its scale.
    case int8

    /// Bytes of `width` numbers; `width` is a multiple of ``WeightFormat/group`` for int8.
    public func byteCount(_ width: Int) -> Int {
        switch self {
        case .f32: 4 * width
        case .bf16: 2 * width
        case .int8: width / WeightFormat.group * MemoryLayout<ck_group>.stride
        }
    }

    package var cValue: ck_form {
        switch self {
        case .f32: CK_FORM_F32
        case .bf16: CK_FORM_BF16
        case .int8: CK_FORM_INT8
        }
    }
}

/// A view of rows of activations.
public struct Activations {
    public var pointer: UnsafeMutableRawPointer
    /// Bytes from one row to the next.
    public var stride: Int
    public var form: ActivationForm

    public init(_ pointer: UnsafeMutableRawPointer, stride: Int, form: ActivationForm) {
        self.pointer = pointer
        self.stride = stride
        self.form = form
    }

    /// The same rows from number `row` on, without their first `column` numbers.
    @inline(__always)
    public func from(row: Int, column: Int = 0) -> Activations {
        Activations(pointer + row * stride + form.byteCount(column), stride: stride, form: form)
    }
}
