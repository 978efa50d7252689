// What the forks of a pass are cut into.

import Tensor

/// The tasks of every fork of a layer, and of the head.
///
/// All layers but the last compute the same rows with matrices of the same sizes, so they are cut once for all of them, and
/// once more for the last.
struct PassSplits {
    /// Rows, as they lie.
    let embedding: WorkSplit
    /// The rows that chain 1 works on in all layers but the last: the few as part 0, the long as part 1.
    let everyRow: WorkSplit
    /// Likewise, in the layer at hand.
    let activeRows: WorkSplit
    /// Rows, as they lie.
    let rotation: WorkSplit
    /// Queries of each chain, then keys and values.
    let projections: WorkSplit
    /// KV heads of each of ``Scratch/attentionRuns``.
    let heads: WorkSplit
    /// A part for each chain.
    let attentionOutput: WorkSplit
    let gate: WorkSplit
    let down: WorkSplit
    let logits: WorkSplit

    init(cutsRows: Bool) {
        func split() -> WorkSplit { WorkSplit(cutsRows: cutsRows) }
        embedding = split()
        everyRow = split()
        activeRows = split()
        rotation = split()
        projections = split()
        heads = split()
        attentionOutput = split()
        gate = split()
        down = split()
        logits = split()
    }

    func removeAll() {
        embedding.removeAll()
        everyRow.removeAll()
        activeRows.removeAll()
        rotation.removeAll()
        projections.removeAll()
        heads.removeAll()
        attentionOutput.removeAll()
        gate.removeAll()
        down.removeAll()
        logits.removeAll()
    }
}

extension ForwardPass {
    /// Cuts the forks of the last layer, or of those before it.
    func cut(isLast: Bool) {
        splits.removeAll()
        addRows(to: splits.everyRow, isLast: false)
        addRows(to: splits.activeRows, isLast: isLast)
        splits.rotation.add(part: 0, count: plan.rows.count, cost: 8 * (shape.width + shape.kvWidth))
        // All layers have matrices of the same sizes.
        let layer = weights.layers[0], (key, value) = keyAndValueParts
        for chain in 0..<shape.chains {
            let rows = plan.rows(chain: chain + 1, last: isLast)
            splits.projections.add(layer.query[chain], part: chain, rows: rows)
            splits.attentionOutput.add(layer.attentionOutput[chain], part: chain, rows: rows)
            splits.gate.add(layer.gate[chain], part: chain, rows: rows, products: 2)
            splits.down.add(layer.down[chain], part: chain, rows: rows)
        }
        let rows = plan.rows(chain: 1, last: false)
        splits.projections.add(layer.key, part: key, rows: rows)
        splits.projections.add(layer.value, part: value, rows: rows)
        findRuns(isLast: isLast)
        // A prompt's longest contexts come last and are tasks first: what is left at the end of a thread's run is small.
        for part in scratch.attentionRuns.indices.reversed() {
            let cost = scratch.attentionRuns[part].cost(headSize: shape.headSize)
            splits.heads.add(part: part, count: shape.kvHeads, cost: cost)
        }
        guard isLast else { return }
        let wanting = plan.rows(chain: 1, last: true)
        splits.logits.add(part: 0, outputs: shape.vocabularySize, inputs: shape.width, rows: wanting)
    }

    /// Cuts the first fork of a pass.
    func cutEmbedding() {
        splits.embedding.removeAll()
        // A number of a packed matrix is on a line of memory of its own.
        let numbers = numbers(of: plan.few, isLast: false) + numbers(of: plan.long, isLast: false)
        let rows = plan.rows.count
        splits.embedding.add(part: 0, count: rows, cost: 64 * numbers / max(rows, 1))
    }

    /// Rows of both groups, to be normed or prepared: for each number as much time as so many multiply-adds take.
    private func addRows(to split: WorkSplit, isLast: Bool) {
        for (part, group) in [plan.few, plan.long].enumerated() {
            let rows = group.rows(chain: 1, last: isLast)
            split.add(part: part, count: rows, cost: 16 * numbers(of: group, isLast: isLast) / max(rows, 1))
        }
    }

    /// How many numbers the hidden vectors of a group's rows have, up to each row's chains.
    private func numbers(of group: RowPlan.Group, isLast: Bool) -> Int {
        (0..<shape.chains).reduce(0) { sum, chain in
            sum + group.rows(chain: chain + 1, last: isLast) * (shape.columns[chain + 1] - shape.columns[chain])
        }
    }
}

extension WorkSplit {
    /// - Parameter products: with as many matrices of this size
    fileprivate func add(_ matrix: WeightMatrix, part: Int, rows: Int, products: Int = 1) {
        add(part: part, outputs: matrix.rows, inputs: products * matrix.columns, rows: rows)
    }
}
