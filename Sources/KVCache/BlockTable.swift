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
    /// How many blocks from the first on are in the prefix index. All of them are full.
    public internal(set) var publishedBlocks = 0
    /// Whether this table gave up a block for one of the same contents while other tables held it: they may still do so,
    /// and hold other blocks than this table before those that both hold.
    var mayDifferFromForks = false

    public init() {}

    public var isEmpty: Bool { blocks.isEmpty }
}
