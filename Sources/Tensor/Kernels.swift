// The Swift face of one compiled set of kernels.

import CKernels

/// A set of kernels: the processor's best, or one by name so that tests can compare them.
///
/// All kernels are row-invariant: an output depends on its own row, the weights and its own context only. `avx2` and
/// `avx512` give the same bits; `avx512bf16` rounds the activations that meet bf16 weights to bf16. Each has a naive twin in ``ScalarOracle``.
public struct Kernels: @unchecked Sendable {  // proof: points at a constant table
    /// Keys lie transposed in groups of this many tokens, one token a vector lane.
    public static let tokenGroup = Int(CK_TOKEN_GROUP)

    let table: UnsafePointer<ck_kernels>

    /// The best of this processor, or what the environment variable `CATENA_CPU` names
    /// (`avx512bf16`, `avx512`, `avx2`, `neondot`, `neon`, `portable` or `scalar`).
    public static let active = Kernels(table: ck_kernels_active())

    /// Every set that this processor can run.
    public static let available = ["avx512bf16", "avx512", "avx2", "neondot", "neon", "portable"].compactMap(
        Kernels.init(named:)
    )

    private init(table: UnsafePointer<ck_kernels>) { self.table = table }

    /// The set called `name`, nil where this processor cannot run it.
    public init?(named name: String) {
        guard let table = ck_kernels_named(name) else { return nil }
        self.table = table
    }

    /// `avx512bf16`, `avx512`, `avx2`, `neondot`, `neon` or `portable`.
    public var name: String { String(cString: table.pointee.name) }

    /// These kernels, or the best that multiply bf16 weights with f32 activations.
    public var multiplyingInF32: Kernels {
        table.pointee.bf16_form == CK_FORM_F32
            ? self : Kernels(named: "avx512") ?? Kernels(table: ck_kernels_named("portable"))
    }

    /// Whether the kernels use this processor's vectors well. Measured on prompts of 128 and 512 tokens, one thread: level
    /// with OpenBLAS on AVX-512 and AVX2; on baseline x86-64 (SSE2) OpenBLAS is 2.5 times ahead.
    public var areVectorised: Bool {
        name != "portable"
    }

    /// Names the arithmetic that results with weights of `format` come from: kernels of one name give the same bits. Changes
    /// with the order of their sums, too.
    public func arithmetic(for format: WeightFormat) -> String {
        let version = 2
        return switch name {
        case "avx512bf16" where format == .bf16: "bf16-\(version)"
        // Attention over bf16 keys and values.
        case "avx512bf16": "fma-bf16-\(version)"
        case "avx512", "avx2": "fma-\(version)"
        case "neondot", "neon": "neon-\(version)"
        default: "\(name)-\(version)"
        }
    }

    /// The form of the activations that weights of `format` are multiplied with.
    public func form(for format: WeightFormat) -> ActivationForm {
        switch format {
        case .f32, .f16: .f32
        case .bf16: table.pointee.bf16_form == CK_FORM_BF16 ? .bf16 : .f32
        case .int8, .int4: .int8
        }
    }

    /// Writes `rows` rows of `width` numbers, `stride` apart, in a form.
    @inline(__always)
    public func prepare(_ x: UnsafePointer<Float>, stride: Int, rows: Int, width: Int, as target: Activations) {
        table.pointee.prepare(target.pointer, target.stride, target.form.cValue, x, stride, rows, width)
    }

    /// `y[r, o] = sum_i x[r, i] * weights[o, i]` for the outputs `o` in `outputs`, or `+=` when `adding`.
    ///
    /// - Parameters:
    ///   - y: element `[0, 0]` of the whole result; strides count floats.
    ///   - x: `[rows, weights.columns]`, in the form for the weights' format
    ///   - outputs: begins with a multiple of ``WeightFormat/panel``
    @inline(__always)
    public func linear(
        y: UnsafeMutablePointer<Float>,
        yStride: Int,
        x: Activations,
        rows: Int,
        weights: WeightMatrix,
        outputs: Range<Int>,
        adding: Bool = false
    ) {
        assert(x.form == form(for: weights.format) && outputs.lowerBound.isMultiple(of: WeightFormat.panel))
        table.pointee.linear(
            y + outputs.lowerBound,
            yStride,
            x.pointer,
            x.stride,
            rows,
            weights.panel(from: outputs.lowerBound),
            weights.format.cValue,
            weights.columns,
            outputs.count,
            adding ? 1 : 0
        )
    }

    /// `y[r, :] = x[r, :] / sqrt(mean(x[r, :]^2) + epsilon) * weight`, over `width` columns of rows `stride` apart.
    @inline(__always)
    public func rmsNorm(
        y: UnsafeMutablePointer<Float>,
        x: UnsafePointer<Float>,
        stride: Int,
        rows: Int,
        weight: UnsafePointer<Float>,
        width: Int,
        epsilon: Float
    ) {
        table.pointee.rms_norm(y, x, stride, rows, weight, width, epsilon)
    }

    /// `gate[r, :] = silu(gate[r, :]) * up[r, :]`, over `width` columns of rows `stride` apart.
    @inline(__always)
    public func siluMultiply(
        gate: UnsafeMutablePointer<Float>,
        up: UnsafePointer<Float>,
        stride: Int,
        rows: Int,
        width: Int
    ) {
        table.pointee.silu_multiply(gate, up, stride, rows, width)
    }

    /// Rotates `heads` consecutive heads in place (rotate-half); `cosine` and `sine` are `[headSize / 2]`.
    @inline(__always)
    public func rope(
        _ x: UnsafeMutablePointer<Float>,
        heads: Int,
        headSize: Int,
        cosine: UnsafePointer<Float>,
        sine: UnsafePointer<Float>
    ) {
        table.pointee.rope(x, heads, headSize, cosine, sine)
    }

    /// Writes one head's key and value, `[headSize]` each, of one token into its block.
    ///
    /// - Parameters:
    ///   - keys: the head's first key in the block, `[blockTokens / 16][headSize][16]`
    ///   - values: the head's first value in the block, `[blockTokens][headSize]`
    ///   - slot: the token's place in the block
    @inline(__always)
    public func storeKV(
        keys: UnsafeMutableRawPointer,
        values: UnsafeMutableRawPointer,
        type: ElementType,
        slot: Int,
        key: UnsafePointer<Float>,
        value: UnsafePointer<Float>,
        headSize: Int
    ) {
        table.pointee.store_kv(keys, values, type.cValue, slot, key, value, headSize)
    }

    /// `y[i] = e^x[i]` within 2 units in the last place; 0 below -87.3, `e^88` above 88.
    public func exponential(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, count: Int) {
        table.pointee.exponential(y, x, count)
    }

    /// Expands stored numbers to f32, exactly.
    @inline(__always)
    public func toFloat(y: UnsafeMutablePointer<Float>, x: UnsafeRawPointer, type: ElementType, count: Int) {
        table.pointee.to_float(y, x, type.cValue, count)
    }

    /// Rounds to bf16, to nearest, ties to even.
    public func toBF16(y: UnsafeMutablePointer<UInt16>, x: UnsafePointer<Float>, count: Int) {
        table.pointee.to_bf16(y, x, count)
    }
}
