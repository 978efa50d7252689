// One layer of CoLM-Air. In each product all chains run in one fork, as none needs another's result.

import KVCache
import Tensor

extension ForwardPass {
    /// Writes the keys and values of all rows, and makes the queries of the rows that go on.
    func writeKeysAndValues(layer: Int, isLast: Bool) {
        let input = hiddenInput(for: weights.bodyFormat)
        // All rows need chain 1 normed, for K and V, also in the last layer.
        normalise(weights.layers[layer].inputNorm, isLast: false, over: splits.everyRow, into: input)

        // query[r, D_i] = Wq_i[D_i, D_<=i] . normed[r, D_<=i]
        // key[r, kvWidth], value[r, kvWidth] = W[kvWidth, D_1] . normed[r, D_1]
        fork(.project(layer: layer, isLast: isLast, input: input), over: splits.projections)
        fork(.rotate(layer: layer), over: splits.rotation)
    }

    /// hidden += Wo . attention(query, keys, values)
    func attend(layer: Int, isLast: Bool) {
        let input = hiddenInput(for: weights.bodyFormat)
        // normed[r, head j] = softmax(query_j . keys^T / sqrt(headSize)) . values of KV head j mod H_kv, positions 0...own
        fork(.mix(layer: layer, input: input), over: splits.heads)
        if !preparesHeads(for: input) { fork(.prepareMixed(isLast: isLast, input: input), over: splits.activeRows) }

        // hidden[r, D_i] += Wo_i[D_i, D_<=i] . normed[r, D_<=i]
        fork(.attentionOutput(layer: layer, isLast: isLast, input: input), over: splits.attentionOutput)
    }

    /// hidden += Wd . (silu(Wg . norm(hidden)) * (Wu . norm(hidden)))
    func feedForward(layer: Int, isLast: Bool) {
        let input = hiddenInput(for: weights.bodyFormat), inner = innerInput(for: weights.bodyFormat)
        let norm = weights.layers[layer].postAttentionNorm
        normalise(norm, isLast: isLast, over: splits.activeRows, into: input)

        // gate[r, F_i] = silu(Wg_i[F_i, D_<=i] . normed[r, D_<=i]) * (Wu_i[F_i, D_<=i] . normed[r, D_<=i])
        fork(.gate(layer: layer, isLast: isLast, input: input, inner: inner), over: splits.gate)

        // hidden[r, D_i] += Wd_i[D_i, F_<=i] . gate[r, F_<=i]
        fork(.down(layer: layer, isLast: isLast, inner: inner), over: splits.down)
    }

    /// Whether a head by itself can be written as products take it. Numbers that are quantised together may be of two heads.
    func preparesHeads(for input: Activations) -> Bool {
        input.form != .int8 || shape.headSize.isMultiple(of: WeightFormat.group)
    }

    /// Part numbers after those of the queries.
    var keyAndValueParts: (key: Int, value: Int) { (shape.chains, shape.chains + 1) }

    // MARK: Tasks

    /// Some outputs of one chain's queries, of the keys or of the values.
    func project(
        _ layer: Int,
        part: Int,
        isLast: Bool,
        outputs: Range<Int>,
        rows: Range<Int>,
        x: Activations,
        worker: Int
    ) {
        let (key, value) = keyAndValueParts, isQuery = part < key
        let target =
            isQuery
            ? scratch.query.pointer + shape.columns[part]
            : part == value ? scratch.value.pointer : scratch.key.pointer
        multiply(
            isQuery
                ? weights.layers[layer].query[part]
                : part == value ? weights.layers[layer].value : weights.layers[layer].key,
            chain: isQuery ? part + 1 : 1,
            isLast: isQuery && isLast,
            outputs: outputs,
            rows: rows,
            x: x,
            y: target,
            yStride: isQuery ? shape.width : shape.kvWidth,
            worker: worker
        )
    }

    /// Adds some outputs of one chain (from 0) to the residual stream.
    func add(
        _ matrix: WeightMatrix,
        chain: Int,
        isLast: Bool,
        outputs: Range<Int>,
        rows: Range<Int>,
        x: Activations,
        worker: Int
    ) {
        multiply(
            matrix,
            chain: chain + 1,
            isLast: isLast,
            outputs: outputs,
            rows: rows,
            x: x,
            y: scratch.hidden.pointer + shape.columns[chain],
            yStride: shape.width,
            adding: true,
            worker: worker
        )
    }

    /// What attention answered, as the product after it takes it, where heads cannot be prepared one by one.
    func prepareMixed(group: Int, _ stretch: Range<Int>, isLast: Bool, into input: Activations) {
        forEachChain(group: group, stretch, isLast: isLast) { chain, rows in
            let columns = shape.columns[chain]..<shape.columns[chain + 1]
            prepare(scratch.normed.pointer, width: shape.width, rows: rows, columns: columns, into: input)
        }
    }

    /// Rotates a row's query and key, and writes its key and value into its block.
    func rotateAndStore(row index: Int, layer: Int) {
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

    /// The gated activation of some outputs of one chain: both products, silu and the down product's form of it, while they
    /// are in the cache.
    func gate(
        _ layer: Int,
        chain: Int,
        isLast: Bool,
        outputs: Range<Int>,
        rows: Range<Int>,
        x: Activations,
        into inner: Activations,
        worker: Int
    ) {
        let columns = shape.innerColumns[chain] + outputs.lowerBound..<shape.innerColumns[chain] + outputs.upperBound
        func product(_ matrix: WeightMatrix, into result: UnsafeMutablePointer<Float>) {
            multiply(
                matrix,
                chain: chain + 1,
                isLast: isLast,
                outputs: outputs,
                rows: rows,
                x: x,
                y: result + shape.innerColumns[chain],
                yStride: shape.inner,
                worker: worker
            )
        }
        func activate(_ rows: Range<Int>) {
            guard !rows.isEmpty else { return }
            let first = rows.lowerBound * shape.inner + columns.lowerBound
            kernels.siluMultiply(
                gate: scratch.gate.pointer + first,
                up: scratch.up.pointer + first,
                stride: shape.inner,
                rows: rows.count,
                width: columns.count
            )
            prepare(scratch.gate.pointer, width: shape.inner, rows: rows, columns: columns, into: inner)
        }
        product(weights.layers[layer].gate[chain], into: scratch.gate.pointer)
        product(weights.layers[layer].up[chain], into: scratch.up.pointer)
        activate(rows.clamped(to: 0..<plan.few.rows(chain: chain + 1, last: isLast)))
        if rows.lowerBound == 0 {
            let first = plan.long.first
            activate(first..<first + plan.long.rows(chain: chain + 1, last: isLast))
        }
    }
}
