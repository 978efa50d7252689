import Core
import Foundation
import KVCache
import Model
import Sampling

/// Mean negative log likelihood of a text under a model, window by window.
struct Evaluation {
    struct Result {
        let chains: Int
        /// Nats per predicted token.
        let loss: Double
        let predicted: Int

        var perplexity: Double { exp(loss) }
    }

    /// Rows of one forward pass, all of which want logits: enough for the kernels, little enough for memory.
    static let rowsPerPass = 128

    private let model: ChainModel
    private let window: Int
    private let cache: BlockPool

    init(model: ChainModel, window: Int) {
        self.model = model
        self.window = window
        // f32, as PyTorch computes: the figures describe the weights.
        cache = model.makeCache(tokens: window, type: .f32)
    }

    /// - Parameter progress: told how many tokens are done.
    mutating func measure(_ tokens: [TokenID], chains: Int, progress: (Int) -> Void) -> Result {
        var sum = 0.0
        for start in stride(from: 0, to: tokens.count - 1, by: window) {
            let end = min(start + window, tokens.count - 1)
            sum += negativeLogLikelihood(tokens[start...end], chains: chains)
            progress(end)
        }
        let predicted = tokens.count - 1
        return Result(chains: chains, loss: sum / Double(predicted), predicted: predicted)
    }

    /// The sum over all tokens but the first, each given those before it.
    private func negativeLogLikelihood(_ tokens: ArraySlice<TokenID>, chains: Int) -> Double {
        var table = BlockTable()
        defer { cache.release(&table) }
        var sum = 0.0
        let inputs = tokens.dropLast()
        for first in stride(from: inputs.startIndex, to: inputs.endIndex, by: Self.rowsPerPass) {
            let rows = inputs[first..<min(first + Self.rowsPerPass, inputs.endIndex)]
            guard cache.append(rows.count, to: &table) else { preconditionFailure("the cache holds one window") }
            let segment = Segment(
                tokens: Array(rows),
                start: first - inputs.startIndex,
                blocks: table.blocks,
                chains: chains,
                logits: .all
            )
            let logits = model.forward(Batch(segments: [segment]), cache: cache)
            for (row, index) in rows.indices.enumerated() {
                sum -= Double(tokenLogprobs(logits[row], chosen: tokens[index + 1], count: 0).chosen.logprob)
            }
        }
        return sum
    }
}
