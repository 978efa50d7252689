// Products of many rows by OpenBLAS.

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

/// One-threaded sgemm; the worker pool splits the outputs.
///
/// A result's last bits depend on the whole call: its rows, its outputs, its place among them. So outputs are always
/// multiplied in the same panels, of ``panel`` outputs from a multiple of it on, whoever computes them.
public enum OpenBLAS {
    /// Outputs of one sgemm: enough for 75 to 100 % of the speed of an undivided product, few enough to split among threads.
    public static let panel = 64

    /// The thread count is global to the process and its own threads would compete with the worker pool's.
    private static let oneThread: Void = openblas_set_num_threads(1)

    /// `y[r, o] = sum_i x[r, i] * weights[o, i]` for the outputs `o` in `outputs`, or `+=` when `adding`.
    ///
    /// - Parameters:
    ///   - y: element `[0, 0]` of the whole result; strides count floats.
    ///   - outputs: begins with a multiple of ``panel``, and ends with one or with the last output
    ///   - scratch: ``panel`` `* weights.columns` floats, for weights that are not f32
    public static func linear(
        y: UnsafeMutablePointer<Float>,
        yStride: Int,
        x: UnsafePointer<Float>,
        xStride: Int,
        rows: Int,
        weights: WeightMatrix,
        outputs: Range<Int>,
        adding: Bool,
        kernels: Kernels,
        scratch: UnsafeMutablePointer<Float>
    ) {
        _ = oneThread
        precondition(outputs.lowerBound.isMultiple(of: panel))
        precondition(outputs.upperBound.isMultiple(of: panel) || outputs.upperBound == weights.rows)
        for first in stride(from: outputs.lowerBound, to: outputs.upperBound, by: panel) {
            multiplyPanel(
                y: y,
                yStride: yStride,
                x: x,
                xStride: xStride,
                rows: rows,
                weights: weights,
                outputs: first..<min(first + panel, outputs.upperBound),
                adding: adding,
                kernels: kernels,
                scratch: scratch
            )
        }
    }

    private static func multiplyPanel(
        y: UnsafeMutablePointer<Float>,
        yStride: Int,
        x: UnsafePointer<Float>,
        xStride: Int,
        rows: Int,
        weights: WeightMatrix,
        outputs: Range<Int>,
        adding: Bool,
        kernels: Kernels,
        scratch: UnsafeMutablePointer<Float>
    ) {
        let stored = weights.row(outputs.lowerBound)
        let isAligned = UInt(bitPattern: stored) % UInt(MemoryLayout<Float>.alignment) == 0
        let expanded: UnsafePointer<Float>
        if weights.type == .f32 && isAligned {
            expanded = stored.assumingMemoryBound(to: Float.self)
        } else {
            kernels.toFloat(y: scratch, x: stored, type: weights.type, count: outputs.count * weights.columns)
            expanded = UnsafePointer(scratch)
        }
        cblas_sgemm(
            CblasRowMajor,
            CblasNoTrans,
            CblasTrans,
            blasint(rows),
            blasint(outputs.count),
            blasint(weights.columns),
            1,
            x,
            blasint(xStride),
            expanded,
            blasint(weights.columns),
            adding ? 1 : 0,
            y + outputs.lowerBound,
            blasint(yStride)
        )
    }
}
