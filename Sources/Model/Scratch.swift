// The activations of a pass: sized once, reused by every step.

import Tensor

/// Activations, f32, rows as ``RowPlan`` sorted them. Pages never touched (rows beyond the usual, upper chains) cost nothing.
final class Scratch {
    /// `[rows, D]`, the residual stream.
    let hidden: AlignedBuffer<Float>
    /// `[rows, D]`, normed; then what attention answers.
    let normed: AlignedBuffer<Float>
    /// `[rows, D]`
    let query: AlignedBuffer<Float>
    /// `[rows, H_kv * headSize]` each.
    let key: AlignedBuffer<Float>
    let value: AlignedBuffer<Float>
    /// `[rows, F]` each.
    let gate: AlignedBuffer<Float>
    let up: AlignedBuffer<Float>
    /// `[workers, scoresPerWorker]`
    let scores: AlignedBuffer<Float>
    let scoresPerWorker: Int
    /// `[workers, panelPerWorker]`, f32 weights for OpenBLAS.
    let panels: AlignedBuffer<Float>
    let panelPerWorker: Int
    /// `[logitsCapacity, V]`
    private(set) var logits: AlignedBuffer<Float>
    private(set) var logitsCapacity: Int

    /// - Parameters:
    ///   - positions: the longest context
    ///   - panel: f32 weights that OpenBLAS gets at a time, 0 without it
    init(_ shape: ModelShape, rows: Int, positions: Int, workers: Int, panel: Int) {
        hidden = AlignedBuffer(count: rows * shape.width)
        normed = AlignedBuffer(count: rows * shape.width)
        query = AlignedBuffer(count: rows * shape.width)
        key = AlignedBuffer(count: rows * shape.kvWidth)
        value = AlignedBuffer(count: rows * shape.kvWidth)
        gate = AlignedBuffer(count: rows * shape.inner)
        up = AlignedBuffer(count: rows * shape.inner)
        let group = Kernels.tokenGroup
        scoresPerWorker = shape.heads[shape.chains] / shape.kvHeads * ((positions + group - 1) / group * group)
        scores = AlignedBuffer(count: workers * scoresPerWorker)
        panelPerWorker = panel
        panels = AlignedBuffer(count: workers * panel)
        logitsCapacity = 64
        logits = AlignedBuffer(count: logitsCapacity * shape.vocabularySize)
    }

    /// Makes room for `rows` rows of logits. More than a batch of decoded tokens has is asked for only when the logits of
    /// a whole prompt are wanted.
    func reserveLogits(rows: Int, vocabulary: Int) {
        guard rows > logitsCapacity else { return }
        logitsCapacity = rows
        logits = AlignedBuffer(count: rows * vocabulary)
    }
}
