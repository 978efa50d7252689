// Attention of a pass: cut into runs of rows that read the same keys and values.

import KVCache
import Tensor

/// Consecutive tokens of one sequence with the same chains, few enough for one call of the kernel.
struct AttentionRun {
    var first: Int
    var count: Int
    /// Positions that its first row attends to.
    var context: Int
    /// Where its sequence's block table starts in ``RowPlan/blocks``.
    var table: Int
    /// Query heads that tile onto one KV head.
    var heads: Int

    /// What one KV head of it costs, in multiply-adds.
    func cost(headSize: Int) -> Int { 2 * headSize * heads * count * (context + count / 2) }
}

extension ForwardPass {
    /// Some KV heads of one run, and what they answer as the product after it takes it.
    func mix(run part: Int, heads: Range<Int>, layer: Int, into input: Activations, worker: Int) {
        let run = scratch.attentionRuns[part], preparesHeads = preparesHeads(for: input)
        plan.blocks.withUnsafeBufferPointer { blocks in
            for head in heads {
                let offset = run.first * shape.width + head * shape.headSize
                kernels.attention(
                    query: scratch.query.pointer + offset,
                    output: scratch.normed.pointer + offset,
                    rowStride: shape.width,
                    headStride: shape.kvWidth,
                    rows: run.count,
                    heads: run.heads,
                    headSize: shape.headSize,
                    context: run.context,
                    cache: cache.head(head, layer: layer),
                    blockTable: blocks.baseAddress! + run.table,
                    scratch: scratch.attention.pointer + worker * scratch.attentionPerWorker
                )
                guard preparesHeads else { continue }
                for tile in 0..<run.heads {
                    let first = tile * shape.kvWidth + head * shape.headSize
                    prepare(
                        scratch.normed.pointer,
                        width: shape.width,
                        rows: run.first..<run.first + run.count,
                        columns: first..<first + shape.headSize,
                        into: input
                    )
                }
            }
        }
    }

    /// Cuts the active rows into runs.
    func findRuns(isLast: Bool) {
        scratch.attentionRuns.removeAll(keepingCapacity: true)
        var open: AttentionRun?
        for place in 0..<plan.rows(chain: 1, last: isLast) {
            let index = plan.row(active: place, last: isLast)
            let row = plan.rows[index]
            let heads = shape.heads[row.chains] / shape.kvHeads
            if var run = open {
                let follows =
                    run.first + run.count == index && run.table == row.table && run.heads == heads
                    && run.context + run.count == row.position + 1
                if follows && (run.count + 1) * heads <= Kernels.attentionQueries {
                    run.count += 1
                    open = run
                    continue
                }
                scratch.attentionRuns.append(run)
            }
            open = AttentionRun(first: index, count: 1, context: row.position + 1, table: row.table, heads: heads)
        }
        if let open { scratch.attentionRuns.append(open) }
    }
}
