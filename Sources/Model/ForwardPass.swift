// One forward pass: embedding, layers (ForwardPass+Layer.swift), head, and the steps they are made of.
//
// Shapes in comments: r is a row; D_i, F_i the hidden and feed-forward width of chain i; "<=i" chains 1..i together.

import KVCache
import Tensor

/// A pass over one batch: what it computes lies in the model's scratch and in the cache.
///
/// An object, so that threads take their tasks from it and no fork allocates.
final class ForwardPass: SplitWork {
    /// What all threads do together. `input` and `inner` are `[rows, D]` and `[rows, F]`, as products take them.
    enum Step {
        case embed
        case normalise(weight: UnsafePointer<Float>, isLast: Bool, input: Activations)
        case project(layer: Int, isLast: Bool, input: Activations)
        case rotate(layer: Int)
        case mix(layer: Int, input: Activations)
        case prepareMixed(isLast: Bool, input: Activations)
        case attentionOutput(layer: Int, isLast: Bool, input: Activations)
        case gate(layer: Int, isLast: Bool, input: Activations, inner: Activations)
        case down(layer: Int, isLast: Bool, inner: Activations)
        case logits(input: Activations)
    }

    let plan: RowPlan
    let cache: BlockPool
    let shape: ModelShape
    let weights: ChainWeights
    let scratch: Scratch
    let kernels: Kernels
    let pool: WorkerPool
    let splits: PassSplits
    /// Of the fork that runs.
    private var step: Step?

    init(model: ChainModel, plan: RowPlan, cache: BlockPool) {
        self.plan = plan
        self.cache = cache
        shape = model.shape
        weights = model.weights
        scratch = model.scratch
        kernels = model.kernels
        pool = model.pool
        splits = model.splits
    }

    func run() {
        cutEmbedding()
        fork(.embed, over: splits.embedding)
        for layer in 0..<shape.layers {
            let isLast = layer == shape.layers - 1
            if layer == 0 || isLast { cut(isLast: isLast) }
            writeKeysAndValues(layer: layer, isLast: isLast)
            // A prompt's chunk is done: its rows are in the cache.
            if isLast && plan.wanting == 0 { return }
            attend(layer: layer, isLast: isLast)
            feedForward(layer: layer, isLast: isLast)
        }
        computeLogits()
    }

    func fork(_ step: Step, over split: WorkSplit) {
        self.step = step
        split.run(on: pool, self)
    }

    override func run(part: Int, range: Range<Int>, rows: Range<Int>, worker: Int) {
        switch step! {
        case .embed: for row in range { embed(row) }
        case .normalise(let weight, let isLast, let input):
            normaliseRows(group: part, range, weight: weight, isLast: isLast, into: input)
        case .project(let layer, let isLast, let input):
            project(layer, part: part, isLast: isLast, outputs: range, rows: rows, x: input, worker: worker)
        case .rotate(let layer): for row in range { rotateAndStore(row: row, layer: layer) }
        case .mix(let layer, let input): mix(run: part, heads: range, layer: layer, into: input, worker: worker)
        case .prepareMixed(let isLast, let input): prepareMixed(group: part, range, isLast: isLast, into: input)
        case .attentionOutput(let layer, let isLast, let input):
            let matrix = weights.layers[layer].attentionOutput[part]
            add(matrix, chain: part, isLast: isLast, outputs: range, rows: rows, x: input, worker: worker)
        case .gate(let layer, let isLast, let input, let inner):
            gate(
                layer,
                chain: part,
                isLast: isLast,
                outputs: range,
                rows: rows,
                x: input,
                into: inner,
                worker: worker
            )
        case .down(let layer, let isLast, let inner):
            let matrix = weights.layers[layer].down[part]
            add(matrix, chain: part, isLast: isLast, outputs: range, rows: rows, x: inner, worker: worker)
        case .logits(let input): computeLogits(outputs: range, rows: rows, x: input, worker: worker)
        }
    }

    /// hidden[r, D_i] = embedding_i[token_r]
    private func embed(_ index: Int) {
        let row = plan.rows[index], hidden = scratch.hidden.pointer + index * shape.width
        for chain in 0..<row.chains {
            weights.embedding[chain].copyRow(Int(row.token), to: hidden + shape.columns[chain], kernels: kernels)
        }
    }

    /// logits[r, V] = sum over the row's chains, from 1 up, of head_i[V, D_i] . norm(hidden[r, D_i])
    private func computeLogits() {
        let input = hiddenInput(for: weights.headFormat)
        normalise(weights.finalNorm, isLast: true, over: splits.activeRows, into: input)
        fork(.logits(input: input), over: splits.logits)
    }

    /// A task takes its outputs through all chains, one after the other. Chain 1 has all rows.
    private func computeLogits(outputs: Range<Int>, rows: Range<Int>, x: Activations, worker: Int) {
        for chain in 0..<shape.chains {
            multiply(
                weights.head[chain],
                chain: chain + 1,
                isLast: true,
                outputs: outputs,
                rows: rows,
                x: x.from(row: 0, column: shape.columns[chain]),
                y: scratch.logits.pointer,
                yStride: shape.vocabularySize,
                adding: chain > 0,
                isLogits: true,
                worker: worker
            )
        }
    }

    // MARK: Inputs of products

    /// Where `[rows, D]` lies for products with weights of `format`: the f32 numbers themselves, or their prepared copy.
    func hiddenInput(for format: WeightFormat) -> Activations {
        activations(for: format, floats: scratch.normed.pointer, prepared: scratch.prepared.pointer, width: shape.width)
    }

    /// Where `[rows, F]` lies, likewise.
    func innerInput(for format: WeightFormat) -> Activations {
        activations(
            for: format,
            floats: scratch.gate.pointer,
            prepared: scratch.preparedGate.pointer,
            width: shape.inner
        )
    }

    private func activations(
        for format: WeightFormat,
        floats: UnsafeMutablePointer<Float>,
        prepared: UnsafeMutablePointer<UInt8>,
        width: Int
    ) -> Activations {
        let form = kernels.form(for: format)
        return form == .f32
            ? Activations(floats, stride: width * MemoryLayout<Float>.stride, form: .f32)
            : Activations(prepared, stride: Scratch.preparedStride(width), form: form)
    }

    /// Makes the prepared copy of some columns of `[rows, width]`; nothing where the product takes f32.
    func prepare(
        _ floats: UnsafeMutablePointer<Float>,
        width: Int,
        rows: Range<Int>,
        columns: Range<Int>,
        into input: Activations
    ) {
        guard input.form != .f32, !rows.isEmpty else { return }
        kernels.prepare(
            floats + rows.lowerBound * width + columns.lowerBound,
            stride: width,
            rows: rows.count,
            width: columns.count,
            as: input.from(row: rows.lowerBound, column: columns.lowerBound)
        )
    }

    // MARK: Steps of a layer and of the head

    /// normed[r, D_i] = RMSNorm(hidden[r, D_i]) * weight[D_i], each chain by itself, for the rows that have it.
    func normalise(_ weight: UnsafePointer<Float>, isLast: Bool, over split: WorkSplit, into input: Activations) {
        fork(.normalise(weight: weight, isLast: isLast, input: input), over: split)
    }

    private func normaliseRows(
        group: Int,
        _ stretch: Range<Int>,
        weight: UnsafePointer<Float>,
        isLast: Bool,
        into input: Activations
    ) {
        forEachChain(group: group, stretch, isLast: isLast) { chain, rows in
            let first = rows.lowerBound * shape.width + shape.columns[chain]
            let columns = shape.columns[chain]..<shape.columns[chain + 1]
            kernels.rmsNorm(
                y: scratch.normed.pointer + first,
                x: scratch.hidden.pointer + first,
                stride: shape.width,
                rows: rows.count,
                weight: weight + columns.lowerBound,
                width: columns.count,
                epsilon: shape.normEpsilon
            )
            prepare(scratch.normed.pointer, width: shape.width, rows: rows, columns: columns, into: input)
        }
    }

    /// Calls `body` with every chain and those rows of a stretch of a group that have it.
    ///
    /// - Parameter group: the part of ``PassSplits/activeRows``
    func forEachChain(
        group: Int,
        _ stretch: Range<Int>,
        isLast: Bool,
        _ body: (_ chain: Int, _ rows: Range<Int>) -> Void
    ) {
        let group = group == 0 ? plan.few : plan.long
        for chain in 0..<shape.chains {
            // Rows are sorted by chain count: those of a chain are a prefix.
            let end = min(stretch.upperBound, group.rows(chain: chain + 1, last: isLast))
            guard end > stretch.lowerBound else { break }
            body(chain, group.first + stretch.lowerBound..<group.first + end)
        }
    }

    /// y[r, outputs] (+)= matrix . x[r, :] for those of `rows` that have `chain`: the few by the kernels, long runs by OpenBLAS.
    ///
    /// - Parameters:
    ///   - chain: from 1
    ///   - rows: of the few; a task that has the first of them does the long runs, which are not cut
    ///   - isLogits: whether `y` has only the rows that want logits, the long after the few
    func multiply(
        _ matrix: WeightMatrix,
        chain: Int,
        isLast: Bool,
        outputs: Range<Int>,
        rows: Range<Int>,
        x: Activations,
        y: UnsafeMutablePointer<Float>,
        yStride: Int,
        adding: Bool = false,
        isLogits: Bool = false,
        worker: Int
    ) {
        let few = rows.clamped(to: 0..<plan.few.rows(chain: chain, last: isLast))
        if !few.isEmpty {
            kernels.linear(
                y: y + few.lowerBound * yStride,
                yStride: yStride,
                x: x.from(row: few.lowerBound),
                rows: few.count,
                weights: matrix,
                outputs: outputs,
                adding: adding
            )
        }
        guard rows.lowerBound == 0 else { return }
        for run in plan.runs where run.chains >= chain && (run.wantsLogits || !isLast) {
            let row = isLogits ? plan.few.wanting + run.first - plan.long.first : run.first
            OpenBLAS.linear(
                y: y + row * yStride,
                yStride: yStride,
                x: x.from(row: run.first),
                rows: run.count,
                weights: matrix,
                outputs: outputs,
                adding: adding,
                scratch: scratch.panels.pointer + worker * scratch.panelPerWorker
            )
        }
    }
}
