// The order in which a pass computes its rows, so that every chain works on rows that lie together.

import Core
import KVCache

/// The rows of a batch, sorted.
///
/// Rows come in two groups. `few` goes through the row-invariant kernels: decoded tokens and short chunks. `long` are runs of
/// at least ``longRun`` rows of one segment, multiplied run by run by OpenBLAS; it is empty unless that is the backend. So
/// what a row is computed with depends on its own segment only, though how a prompt is cut into segments depends on the
/// step's other requests: with OpenBLAS, and only there, that shows in the last bits.
///
/// In each group rows are sorted by falling chain count, and those that want no logits (they run chain 1 only) come last.
/// So the rows that have chain `i`, and the rows that the last layer has to finish, are prefixes of the group.
struct RowPlan {
    /// From this many rows on sgemm reaches the speed that makes it worth having: below, packing its operands costs it more
    /// than the kernels lose to it.
    static let longRun = 64

    struct Row {
        var token: TokenID
        var position: Int
        /// Where its sequence's block table starts in ``RowPlan/blocks``.
        var table: Int
        var chains: Int
    }

    /// Rows `first ..< first + count`, of one segment.
    struct Run {
        var first: Int
        var count: Int
        var chains: Int
        var wantsLogits: Bool
    }

    /// A group: rows `first ..< first + count`.
    struct Group {
        var first = 0
        var count = 0
        /// How many want logits.
        var wanting = 0
        /// Position `i - 1`: how many have chain `i`.
        var tiers: [Int] = []

        /// How many rows chain `chain` (from 1) works on, in the last layer or before.
        func rows(chain: Int, last: Bool) -> Int { chain == 1 && last ? wanting : tiers[chain - 1] }
    }

    private(set) var rows: [Row] = []
    /// The block tables of all segments, one after the other.
    private(set) var blocks: [BlockID] = []
    private(set) var few = Group()
    private(set) var long = Group()
    private(set) var runs: [Run] = []
    /// For every row that wants logits, in the batch's order: its place among them as sorted.
    private(set) var logitsPlaces: [Int] = []

    /// Rows that want logits.
    var wanting: Int { few.wanting + long.wanting }

    /// How many rows chain `chain` (from 1) works on, in the last layer or before.
    func rows(chain: Int, last: Bool) -> Int {
        few.rows(chain: chain, last: last) + long.rows(chain: chain, last: last)
    }

    /// Row number `place` of those that chain 1 works on.
    func row(active place: Int, last: Bool) -> Int {
        let few = few.rows(chain: 1, last: last)
        return place < few ? place : long.first + place - few
    }

    /// A stretch of rows of one segment that are treated alike.
    private struct Stretch {
        var segment: Int
        var table: Int
        /// Of the segment's tokens.
        var tokens: Range<Int>
        var chains: Int
        var wantsLogits: Bool
        /// The place of its first row among the rows that want logits, in the batch's order.
        var logitsIndex: Int
    }

    private var stretches: [Stretch] = []

    /// Sorts the rows of `batch`; `maxChains` is the model's chain count.
    mutating func sort(_ batch: Batch, maxChains: Int, separatesLongRuns: Bool) {
        rows.removeAll(keepingCapacity: true)
        runs.removeAll(keepingCapacity: true)
        cut(batch)
        let wanted = batch.logitsCount
        logitsPlaces = Array(repeating: 0, count: wanted)
        few = gather(from: batch, maxChains: maxChains, long: false, isSeparated: separatesLongRuns, logitsBase: 0)
        guard separatesLongRuns else {
            long = Group(first: rows.count, count: 0, wanting: 0, tiers: Array(repeating: 0, count: maxChains))
            return
        }
        long = gather(from: batch, maxChains: maxChains, long: true, isSeparated: true, logitsBase: few.wanting)
    }

    private mutating func cut(_ batch: Batch) {
        stretches.removeAll(keepingCapacity: true)
        blocks.removeAll(keepingCapacity: true)
        var logitsIndex = 0
        for (index, segment) in batch.segments.enumerated() {
            let count = segment.tokens.count
            let silent = count - segment.logitsCount
            if silent > 0 {
                stretches.append(
                    Stretch(
                        segment: index,
                        table: blocks.count,
                        tokens: 0..<silent,
                        chains: 1,
                        wantsLogits: false,
                        logitsIndex: 0
                    )
                )
            }
            if silent < count {
                stretches.append(
                    Stretch(
                        segment: index,
                        table: blocks.count,
                        tokens: silent..<count,
                        chains: segment.chains,
                        wantsLogits: true,
                        logitsIndex: logitsIndex
                    )
                )
                logitsIndex += count - silent
            }
            blocks.append(contentsOf: segment.blocks)
        }
    }

    private mutating func gather(
        from batch: Batch,
        maxChains: Int,
        long: Bool,
        isSeparated: Bool,
        logitsBase: Int
    ) -> Group {
        var group = Group(first: rows.count, count: 0, wanting: 0, tiers: Array(repeating: 0, count: maxChains))
        func belongs(_ stretch: Stretch) -> Bool {
            !isSeparated || (stretch.tokens.count >= Self.longRun) == long
        }
        // Falling chain count; then the rows that want no logits.
        for chains in stride(from: maxChains, through: 1, by: -1) {
            for stretch in stretches where stretch.wantsLogits && stretch.chains == chains && belongs(stretch) {
                for offset in stretch.tokens.indices {
                    let place = logitsBase + group.wanting + offset - stretch.tokens.lowerBound
                    logitsPlaces[stretch.logitsIndex + offset - stretch.tokens.lowerBound] = place
                }
                group.wanting += stretch.tokens.count
                append(stretch, of: batch, to: &group, isRun: long)
            }
        }
        for stretch in stretches where !stretch.wantsLogits && belongs(stretch) {
            append(stretch, of: batch, to: &group, isRun: long)
        }
        return group
    }

    private mutating func append(_ stretch: Stretch, of batch: Batch, to group: inout Group, isRun: Bool) {
        if isRun {
            runs.append(
                Run(
                    first: rows.count,
                    count: stretch.tokens.count,
                    chains: stretch.chains,
                    wantsLogits: stretch.wantsLogits
                )
            )
        }
        let segment = batch.segments[stretch.segment]
        for offset in stretch.tokens {
            rows.append(
                Row(
                    token: segment.tokens[offset],
                    position: segment.start + offset,
                    table: stretch.table,
                    chains: stretch.chains
                )
            )
        }
        group.count += stretch.tokens.count
        for tier in 0..<stretch.chains { group.tiers[tier] += stretch.tokens.count }
    }
}
