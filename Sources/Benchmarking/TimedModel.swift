// A model and a KV cache, and the forward passes that are timed.

import Core
import KVCache
import Model
import ModelIO

/// Prefill and decode as the server runs them, one pass at a time, without the server.
final class TimedModel {
    let model: ChainModel
    /// Tokens before the decoded one.
    let context: Int
    private let cache: BlockPool
    /// Sequences with `context` tokens of KV and room for one more. Every chain count can use them, as KV is the same for all.
    private var sequences: [BlockTable] = []

    /// - Parameters:
    ///   - options: `maxRows` is how many tokens of a prompt are computed in a pass.
    ///   - rows: the most rows of a decode step.
    ///   - prompt: the longest prompt.
    init(_ checkpoint: Checkpoint, options: ChainModel.Options, context: Int, rows: Int, prompt: Int) throws {
        var options = options
        options.maxRows = max(options.maxRows, rows)
        model = try ChainModel(checkpoint, options: options)
        self.context = context
        let layout = model.blockLayout(type: .bf16)
        cache = BlockPool(layout: layout, blocks: rows * layout.blocks(for: context + 1) + layout.blocks(for: prompt))
        for row in 0..<rows { sequences.append(makeSequence(row)) }
    }

    private func makeSequence(_ row: Int) -> BlockTable {
        var table = BlockTable()
        append(context, to: &table)
        for segment in segments(tokens: context, table, chains: 1, logits: .none, seed: row) {
            _ = model.forward(Batch(segments: [segment]), cache: cache)
        }
        append(1, to: &table)
        return table
    }

    /// Seconds that a prompt takes; with the logits of its last token by `chains` chains, or without any.
    func prefill(tokens: Int, chains: Int?) -> Double {
        var table = BlockTable()
        append(tokens, to: &table)
        defer { cache.release(&table) }
        let segments = segments(
            tokens: tokens,
            table,
            chains: chains ?? 1,
            logits: chains == nil ? .none : .last,
            seed: tokens
        )
        return seconds {
            for segment in segments { _ = model.forward(Batch(segments: [segment]), cache: cache) }
        }
    }

    /// Seconds of one decode step with a row per element of `rows`, which says how many chains it has.
    func decode(rows: [Int]) -> Double {
        let batch = Batch(
            segments: rows.enumerated().map { row, chains in
                Segment(
                    tokens: [token(row)],
                    start: context,
                    blocks: sequences[row].blocks,
                    chains: chains,
                    logits: .last
                )
            }
        )
        return seconds { _ = model.forward(batch, cache: cache) }
    }

    /// The passes of a prompt. Only the last token of the last wants logits.
    private func segments(
        tokens: Int,
        _ table: BlockTable,
        chains: Int,
        logits: Segment.Logits,
        seed: Int
    ) -> [Segment] {
        stride(from: 0, to: tokens, by: model.maxRows).map { start in
            let end = min(start + model.maxRows, tokens)
            return Segment(
                tokens: (start..<end).map { token($0 * 31 + seed) },
                start: start,
                blocks: table.blocks,
                chains: chains,
                logits: end == tokens ? logits : .none
            )
        }
    }

    private func token(_ number: Int) -> TokenID { TokenID((number * 17 + 3) % model.configuration.vocabularySize) }

    private func append(_ count: Int, to table: inout BlockTable) {
        guard cache.append(count, to: &table) else { preconditionFailure("the cache was made for these sequences") }
    }
}
