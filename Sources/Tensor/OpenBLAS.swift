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
public enum OpenBLAS {
    /// The thread count is global to the process and its own threads would compete with the worker pool's.
    private static let oneThread: Void = openblas_set_num_threads(1)

    /// `y[r, o] = sum_i x[r, i] * weights[o, i]` for the outputs `o` in `outputs`, or `+=` when `adding`.
    ///
    /// - Parameters:
    ///   - y: element `[0, 0]` of the whole result; strides count floats.
    ///   - panel: scratch of `outputs.count * weights.columns` floats, for weights that are not f32
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
        panel: UnsafeMutablePointer<Float>
    ) {
        _ = oneThread
        let stored = weights.row(outputs.lowerBound)
        let isAligned = UInt(bitPattern: stored) % UInt(MemoryLayout<Float>.alignment) == 0
        let expanded: UnsafePointer<Float>
        if weights.type == .f32 && isAligned {
            expanded = stored.assumingMemoryBound(to: Float.self)
        } else {
            kernels.toFloat(y: panel, x: stored, type: weights.type, count: outputs.count * weights.columns)
            expanded = UnsafePointer(panel)
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
