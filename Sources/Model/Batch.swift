// What one forward pass computes: plain data.

import Core
import KVCache

/// The rows of one step: runs of tokens of several sequences, each with its own chain count.
public struct Batch: Sendable, Hashable {
    public var segments: [Segment]

    public init(segments: [Segment] = []) { self.segments = segments }

    /// Rows of the batch.
    public var tokenCount: Int { segments.reduce(0) { $0 + $1.tokens.count } }

    /// Rows that want logits.
    public var logitsCount: Int { segments.reduce(0) { $0 + $1.logitsCount } }
}

/// A run of consecutive tokens of one sequence: one token of an answer, a chunk of a prompt, or drafted tokens to verify.
public struct Segment: Sendable, Hashable {
    /// Which rows want logits.
    public enum Logits: Sendable, Hashable {
        case none
        case last
        case all
    }

    /// At least one, each below the vocabulary size.
    public var tokens: [TokenID]
    /// The position of the first token; all positions before it are in the cache already.
    public var start: Int
    /// The sequence's block table, with room for `start + tokens.count` tokens.
    public var blocks: [BlockID]
    /// Chains of the rows that want logits, 1...n; the others run chain 1 alone, for their keys and values.
    public var chains: Int
    public var logits: Logits

    public init(tokens: [TokenID], start: Int, blocks: [BlockID], chains: Int, logits: Logits) {
        self.tokens = tokens
        self.start = start
        self.blocks = blocks
        self.chains = chains
        self.logits = logits
    }

    /// Rows that want logits.
    public var logitsCount: Int {
        switch logits {
        case .none: 0
        case .last: 1
        case .all: tokens.count
        }
    }
}
