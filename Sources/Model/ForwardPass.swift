// One forward pass: embedding, layers (ForwardPass+Layer.swift), head, and the steps they are made of.
//
// Shapes in comments: r is a row; D_i, F_i the hidden and feed-forward width of chain i; "<=i" chains 1..i together.

import KVCache
import Tensor

/// A pass over one batch. Constants and references only: what it computes lies in the model's scratch and in the cache.
struct ForwardPass {
    let plan: RowPlan
    let cache: BlockPool
    let shape: ModelShape
    let weights: ChainWeights
    let scratch: Scratch
    let kernels: Kernels
    let pool: WorkerPool
    let split: WorkSplit

    init(model: ChainModel, plan: RowPlan, cache: BlockPool) {
        self.plan = plan
        self.cache = cache
        shape = model.shape
        weights = model.weights
        scratch = model.scratch
        kernels = model.kernels
        pool = model.pool
        split = model.split
    }

    func run() {
        embed()
        for layer in 0..<shape.layers {
            let isLast = layer == shape.layers - 1
            writeKeysAndValues(layer: layer, isLast: isLast)
            // A prompt's chunk is done: its rows are in the cache.
            if isLast && plan.wanting == 0 { return }
            attend(layer: layer, isLast: isLast)
            feedForward(layer: layer, isLast: isLast)
        }
        computeLogits()
    }

    /// hidden[r, D_i] = embedding_i[token_r]
    private func embed() {
        for (index, row) in plan.rows.enumerated() {
            for chain in 0..<row.chains {
                let embedding = weights.embedding[chain]
                kernels.toFloat(
                    y: scratch.hidden.pointer + index * shape.width + shape.columns[chain],
                    x: embedding.row(Int(row.token)),
                    type: embedding.type,
                    count: embedding.columns
                )
            }
        }
    }

    /// logits[r, V] = sum over the row's chains, from 1 up, of head_i[V, D_i] . norm(hidden[r, D_i])
    private func computeLogits() {
        normalise(weights.finalNorm, isLast: true)
        var cost = 0
        for chain in 0..<shape.chains { cost += plan.rows(chain: chain + 1, last: true) * weights.head[chain].columns }
        split.add(part: 0, outputs: shape.vocabularySize, cost: cost, inputs: shape.width)
        split.run(on: pool) { _, outputs, worker in
            for chain in 0..<shape.chains {
                multiply(
                    weights.head[chain],
                    chain: chain + 1,
                    isLast: true,
                    outputs: outputs,
                    x: scratch.normed.pointer + shape.columns[chain],
                    xStride: shape.width,
                    y: scratch.logits.pointer,
                    yStride: shape.vocabularySize,
                    adding: chain > 0,
                    isLogits: true,
                    worker: worker
                )
            }
        }
    }

    // MARK: Steps of a layer and of the head

    /// normed[r, D_i] = RMSNorm(hidden[r, D_i]) * weight[D_i], each chain by itself, for the rows that have it.
    func normalise(_ weight: UnsafePointer<Float>, isLast: Bool) {
        normalise(weight, rowsOf: plan.few, isLast: isLast)
        normalise(weight, rowsOf: plan.long, isLast: isLast)
    }

    private func normalise(_ weight: UnsafePointer<Float>, rowsOf group: RowPlan.Group, isLast: Bool) {
        split.add(part: 0, count: group.rows(chain: 1, last: isLast), cost: 4 * shape.width)
        split.run(on: pool) { _, rows, _ in
            for chain in 0..<shape.chains {
                // Rows are sorted by chain count: those of a chain are a prefix.
                let end = min(rows.upperBound, group.rows(chain: chain + 1, last: isLast))
                guard end > rows.lowerBound else { break }
                let first = (group.first + rows.lowerBound) * shape.width + shape.columns[chain]
                kernels.rmsNorm(
                    y: scratch.normed.pointer + first,
                    x: scratch.hidden.pointer + first,
                    stride: shape.width,
                    rows: end - rows.lowerBound,
                    weight: weight + shape.columns[chain],
                    width: shape.columns[chain + 1] - shape.columns[chain],
                    epsilon: shape.normEpsilon
                )
            }
        }
    }

    /// y[r, outputs] (+)= matrix . x[r, :] for the rows that have `chain`: the few by the kernels, long runs by OpenBLAS.
    ///
    /// - Parameters:
    ///   - chain: from 1
    ///   - isLogits: whether `y` has only the rows that want logits, the long after the few
    func multiply(
        _ matrix: WeightMatrix,
        chain: Int,
        isLast: Bool,
        outputs: Range<Int>,
        x: UnsafeMutablePointer<Float>,
        xStride: Int,
        y: UnsafeMutablePointer<Float>,
        yStride: Int,
        adding: Bool = false,
        isLogits: Bool = false,
        worker: Int
    ) {
        let few = plan.few.rows(chain: chain, last: isLast)
        if few > 0 {
            kernels.linear(
                y: y,
                yStride: yStride,
                x: x,
                xStride: xStride,
                rows: few,
                weights: matrix,
                outputs: outputs,
                adding: adding
            )
        }
        for run in plan.runs where run.chains >= chain && (run.wantsLogits || !isLast) {
            let row = isLogits ? plan.few.wanting + run.first - plan.long.first : run.first
            OpenBLAS.linear(
                y: y + row * yStride,
                yStride: yStride,
                x: x + run.first * xStride,
                xStride: xStride,
                rows: run.count,
                weights: matrix,
                outputs: outputs,
                adding: adding,
                kernels: kernels,
                scratch: scratch.panels.pointer + worker * scratch.panelPerWorker
            )
        }
    }
}
