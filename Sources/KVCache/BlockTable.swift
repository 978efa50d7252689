// Which blocks hold the keys and values of one sequence.

/// A block of a ``BlockPool``, by number from 0.
public typealias BlockID = Int32

/// The blocks of one sequence in order, and how many tokens they hold.
///
/// A plain value: it names blocks and does not keep them. Whoever stores a table owns one reference to each of its blocks,
/// from the ledger or pool that changed it; a second owner is made by `fork`, not by copying the value.
public struct BlockTable: Sendable, Hashable {
    /// Block `i` holds the positions `i * blockTokens ..< (i + 1) * blockTokens`.
    public internal(set) var blocks: [BlockID] = []
    /// Tokens whose keys and values are, or are about to be, in the blocks.
    public internal(set) var tokenCount = 0

    public init() {}

    public var isEmpty: Bool { blocks.isEmpty }
}
