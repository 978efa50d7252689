// The activations of a pass: sized once, reused by every step.

import Tensor

/// Activations, f32, rows as ``RowPlan`` sorted them. Pages never touched (rows beyond the usual, upper chains) cost nothing.
final class Scratch {
    /// `[rows, D]`, the residual stream.
    let hidden: AlignedBuffer<Float>
    /// `[rows, D]`, normed; then what attention answers.
    let normed: AlignedBuffer<Float>
    /// `normed`, or the gated activations, in the form that the next product takes; unused for f32.
    let prepared: AlignedBuffer<UInt8>
    let preparedGate: AlignedBuffer<UInt8>
    /// `[rows, D]`
    let query: AlignedBuffer<Float>
    /// `[rows, H_kv * headSize]` each.
    let key: AlignedBuffer<Float>
    let value: AlignedBuffer<Float>
    /// `[rows, F]` each.
    let gate: AlignedBuffer<Float>
    let up: AlignedBuffer<Float>
    /// `[workers, attentionPerWorker]`
    let attention: AlignedBuffer<Float>
    let attentionPerWorker: Int
    /// What attention works on, made anew for every layer.
    var attentionRuns: [AttentionRun] = []
    private(set) var rotary: RotaryTable
    private var positions = 0
    /// `[workers, panelPerWorker]`, f32 weights for OpenBLAS.
    let panels: AlignedBuffer<Float>
    let panelPerWorker: Int
    /// `[logitsCapacity, V]`
    private(set) var logits: AlignedBuffer<Float>
    private(set) var logitsCapacity: Int

    /// - Parameter panel: f32 weights that OpenBLAS gets at a time, 0 without it
    init(_ shape: ModelShape, rows: Int, workers: Int, panel: Int) {
        hidden = AlignedBuffer(count: rows * shape.width)
        normed = AlignedBuffer(count: rows * shape.width)
        prepared = AlignedBuffer(count: rows * Self.preparedStride(shape.width))
        preparedGate = AlignedBuffer(count: rows * Self.preparedStride(shape.inner))
        query = AlignedBuffer(count: rows * shape.width)
        key = AlignedBuffer(count: rows * shape.kvWidth)
        value = AlignedBuffer(count: rows * shape.kvWidth)
        gate = AlignedBuffer(count: rows * shape.inner)
        up = AlignedBuffer(count: rows * shape.inner)
        rotary = RotaryTable(headSize: shape.headSize, theta: shape.ropeTheta)
        attentionPerWorker = Kernels.attentionScratch(headSize: shape.headSize)
        attention = AlignedBuffer(count: workers * attentionPerWorker)
        panelPerWorker = panel
        panels = AlignedBuffer(count: workers * panel)
        logitsCapacity = 64
        logits = AlignedBuffer(count: logitsCapacity * shape.vocabularySize)
    }

    /// Bytes from one row to the next of `width` prepared numbers, in any form but f32: a multiple of a cache line, though not of
    /// a page, so that the rows of a tile do not fall into the same places of the cache.
    static func preparedStride(_ width: Int) -> Int {
        let bytes = (2 * width + 127) / 64 * 64
        return bytes.isMultiple(of: 4096) ? bytes + 64 : bytes
    }

    /// Makes room for sequences of `count` positions, `most` at the most ever. What depends on the length grows with the longest
    /// sequence, by doubling, so that a model made for very long contexts costs no more than its use.
    func reservePositions(_ count: Int, most: Int) {
        guard count > positions else { return }
        positions = min(max(count, 2 * positions, 256), most)
        rotary.fill(positions: positions)
    }

    /// Makes room for `rows` rows of logits. More than a batch of decoded tokens has is asked for only when the logits of
    /// a whole prompt are wanted.
    func reserveLogits(rows: Int, vocabulary: Int) {
        guard rows > logitsCapacity else { return }
        logitsCapacity = rows
        logits = AlignedBuffer(count: rows * vocabulary)
    }
}
