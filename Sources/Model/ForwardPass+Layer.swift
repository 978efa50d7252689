// One layer of CoLM-Air. In each product all chains run in one fork, as none needs another's result.

import KVCache
import Tensor

extension ForwardPass {
    /// Writes the keys and values of all rows, and makes the queries of the rows that go on.
    func writeKeysAndValues(layer: Int, isLast: Bool) {
        let w = weights.layers[layer]
        // All rows need chain 1 normed, for K and V, also in the last layer.
        normalise(w.inputNorm, isLast: false)

        // query[r, D_i] = Wq_i[D_i, D_<=i] . normed[r, D_<=i]
        // key[r, kvWidth], value[r, kvWidth] = W[kvWidth, D_1] . normed[r, D_1]
        let key = shape.chains, value = shape.chains + 1  // part numbers after those of the queries
        for chain in 0..<shape.chains {
            split.add(part: chain, weights: w.query[chain], rows: plan.rows(chain: chain + 1, last: isLast))
        }
        split.add(part: key, weights: w.key, rows: plan.rows.count)
        split.add(part: value, weights: w.value, rows: plan.rows.count)
        split.run(on: pool) { part, outputs, worker in
            let isQuery = part < key
            let target =
                isQuery
                ? scratch.query.pointer + shape.columns[part]
                : part == value ? scratch.value.pointer : scratch.key.pointer
            multiply(
                isQuery ? w.query[part] : part == value ? w.value : w.key,
                chain: isQuery ? part + 1 : 1,
                isLast: isQuery && isLast,
                outputs: outputs,
                x: scratch.normed.pointer,
                xStride: shape.width,
                y: target,
                yStride: isQuery ? shape.width : shape.kvWidth,
                worker: worker
            )
        }

        split.add(part: 0, count: plan.rows.count, cost: 8 * (shape.width + shape.kvWidth))
        split.run(on: pool) { _, rows, _ in
            for row in rows { rotateAndStore(row: row, layer: layer) }
        }
    }

    /// hidden += Wo . attention(query, keys, values)
    func attend(layer: Int, isLast: Bool) {
        let w = weights.layers[layer]
        mixValues(layer: layer, isLast: isLast)

        // hidden[r, D_i] += Wo_i[D_i, D_<=i] . mixed[r, D_<=i], which mixValues left in `normed`
        for chain in 0..<shape.chains {
            split.add(part: chain, weights: w.attentionOutput[chain], rows: plan.rows(chain: chain + 1, last: isLast))
        }
        split.run(on: pool) { chain, outputs, worker in
            multiply(
                w.attentionOutput[chain],
                chain: chain + 1,
                isLast: isLast,
                outputs: outputs,
                x: scratch.normed.pointer,
                xStride: shape.width,
                y: scratch.hidden.pointer + shape.columns[chain],
                yStride: shape.width,
                adding: true,
                worker: worker
            )
        }
    }

    /// hidden += Wd . (silu(Wg . norm(hidden)) * (Wu . norm(hidden)))
    func feedForward(layer: Int, isLast: Bool) {
        let w = weights.layers[layer]
        normalise(w.postAttentionNorm, isLast: isLast)

        // gate[r, F_i] = silu(Wg_i[F_i, D_<=i] . normed[r, D_<=i]) * (Wu_i[F_i, D_<=i] . normed[r, D_<=i])
        for chain in 0..<shape.chains {
            split.add(part: chain, weights: w.gate[chain], rows: 2 * plan.rows(chain: chain + 1, last: isLast))
        }
        split.run(on: pool) { chain, outputs, worker in
            gate(w, chain: chain, isLast: isLast, outputs: outputs, worker: worker)
        }

        // hidden[r, D_i] += Wd_i[D_i, F_<=i] . gate[r, F_<=i]
        for chain in 0..<shape.chains {
            split.add(part: chain, weights: w.down[chain], rows: plan.rows(chain: chain + 1, last: isLast))
        }
        split.run(on: pool) { chain, outputs, worker in
            multiply(
                w.down[chain],
                chain: chain + 1,
                isLast: isLast,
                outputs: outputs,
                x: scratch.gate.pointer,
                xStride: shape.inner,
                y: scratch.hidden.pointer + shape.columns[chain],
                yStride: shape.width,
                adding: true,
                worker: worker
            )
        }
    }

    // MARK: Tasks

    /// Rotates a row's query and key, and writes its key and value into its block.
    private func rotateAndStore(row index: Int, layer: Int) {
        let row = plan.rows[index]
        let (cosine, sine) = (scratch.rotary.cosine(row.position), scratch.rotary.sine(row.position))
        let (headSize, layout) = (shape.headSize, cache.layout)
        let query = scratch.query.pointer + index * shape.width
        let key = scratch.key.pointer + index * shape.kvWidth
        let value = scratch.value.pointer + index * shape.kvWidth
        kernels.rope(query, heads: shape.heads[row.chains], headSize: headSize, cosine: cosine, sine: sine)
        kernels.rope(key, heads: shape.kvHeads, headSize: headSize, cosine: cosine, sine: sine)
        let (place, slot) = row.position.quotientAndRemainder(dividingBy: layout.blockTokens)
        let block = cache.pointer(to: plan.blocks[row.table + place])
        for head in 0..<shape.kvHeads {
            kernels.storeKV(
                keys: block + layout.keyOffset(layer: layer, head: head),
                values: block + layout.valueOffset(layer: layer, head: head),
                type: layout.type,
                slot: slot,
                key: key + head * headSize,
                value: value + head * headSize,
                headSize: headSize
            )
        }
    }

    /// The gated activation of some outputs of one chain: both products and silu while they are in the cache.
    private func gate(_ w: ChainWeights.Layer, chain: Int, isLast: Bool, outputs: Range<Int>, worker: Int) {
        func product(_ matrix: WeightMatrix, into result: UnsafeMutablePointer<Float>) {
            multiply(
                matrix,
                chain: chain + 1,
                isLast: isLast,
                outputs: outputs,
                x: scratch.normed.pointer,
                xStride: shape.width,
                y: result + shape.innerColumns[chain],
                yStride: shape.inner,
                worker: worker
            )
        }
        func activate(_ group: RowPlan.Group) {
            let first = group.first * shape.inner + shape.innerColumns[chain] + outputs.lowerBound
            kernels.siluMultiply(
                gate: scratch.gate.pointer + first,
                up: scratch.up.pointer + first,
                stride: shape.inner,
                rows: group.rows(chain: chain + 1, last: isLast),
                width: outputs.count
            )
        }
        product(w.gate[chain], into: scratch.gate.pointer)
        product(w.up[chain], into: scratch.up.pointer)
        activate(plan.few)
        activate(plan.long)
    }
}
