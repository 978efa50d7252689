// Products of many rows by OpenBLAS.

import CKernels
import COpenBLAS

/// Who computes products of many rows.
public enum ComputeBackend: String, Sendable, CaseIterable {
    /// The faster of the two on this processor, see ``Kernels/areVectorised``.
    case auto
    /// OpenBLAS for long runs of prompt tokens. The order of its sums depends on how many rows it is given, so a prompt
    /// computed in other chunks gives slightly other numbers. Fewer rows run on the kernels.
    case openblas
    /// The kernels for everything: the same bits for every way to cut a prompt.
    case native
}

/// One-threaded sgemm, panel by panel; the worker pool splits the outputs.
///
/// A result's last bits depend on the whole call: its rows, its outputs, its place among them. So outputs are always
/// multiplied a panel of ``WeightFormat/panel`` at a time, whoever computes them.
public enum OpenBLAS {
    /// The thread count is global to the process and its own threads would compete with the worker pool's.
    private static let oneThread: Void = openblas_set_num_threads(1)

    /// `y[r, o] = sum_i x[r, i] * weights[o, i]` for the outputs `o` in `outputs`, or `+=` when `adding`.
    ///
    /// - Parameters:
    ///   - y: element `[0, 0]` of the whole result; strides count floats.
    ///   - x: in f32
    ///   - weights: of a floating-point format
    ///   - outputs: begins with a multiple of ``WeightFormat/panel``
    ///   - scratch: ``WeightFormat/panel`` `* weights.columns` floats
    public static func linear(
        y: UnsafeMutablePointer<Float>,
        yStride: Int,
        x: Activations,
        rows: Int,
        weights: WeightMatrix,
        outputs: Range<Int>,
        adding: Bool,
        scratch: UnsafeMutablePointer<Float>
    ) {
        _ = oneThread
        precondition(x.form == .f32 && !weights.format.isInteger)
        precondition(outputs.lowerBound.isMultiple(of: WeightFormat.panel))
        for first in stride(from: outputs.lowerBound, to: outputs.upperBound, by: WeightFormat.panel) {
            ck_expand_panel(scratch, weights.panel(from: first), weights.format.cValue, weights.columns)
            cblas_sgemm(
                CblasRowMajor,
                CblasNoTrans,
                CblasNoTrans,
                blasint(rows),
                blasint(min(WeightFormat.panel, outputs.upperBound - first)),
                blasint(weights.columns),
                1,
                x.pointer.assumingMemoryBound(to: Float.self),
                blasint(x.stride / MemoryLayout<Float>.stride),
                scratch,
                blasint(WeightFormat.panel),
                adding ? 1 : 0,
                y + first,
                blasint(yStride)
            )
        }
    }
}
