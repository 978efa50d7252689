// Who holds which block, and what is in those that nobody holds: the bookkeeping of the block pool, as a value without
// the memory.

/// Reference counts, free list and prefix index of a fixed number of blocks.
///
/// A block is in one of three states:
/// - **used**: at least one table holds it;
/// - **cached**: nobody holds it, but the prefix index knows its contents, and a table may adopt it again;
/// - **free**: nobody holds it or knows what is in it.
///
/// A new block is a free one, or else the cached one that was used longest ago, which the index then forgets.
///
/// A table holds a prefix of a path through the index, and is released from its tail to its head. So whoever holds a block
/// holds the blocks before it, a cached block is older in the order of use than the cached block before it, and evicting
/// the oldest never leaves a block in the index whose prefix is gone.
///
/// Cost: everything is O(1) per block touched, and nothing allocates but a growing block table.
public struct BlockLedger: Sendable {
    public let blockTokens: Int
    /// References to each block; 0 is free or cached.
    private var references: [Int32]
    /// Free blocks, the next one last: what was freed last is used first, as it may still be in a cache.
    private var free: [BlockID]
    /// What is known of blocks, held or not.
    var index: PrefixIndex
    /// Blocks of the index that nobody holds.
    private(set) var cached: RecencyList
    /// Cached blocks that were given away to be filled anew, since the start.
    public private(set) var evictions = 0

    public init(blocks: Int, blockTokens: Int) {
        precondition(blocks >= 0 && blocks <= Int(BlockID.max) && blockTokens > 0)
        self.blockTokens = blockTokens
        references = Array(repeating: 0, count: blocks)
        free = (0..<BlockID(blocks)).reversed()
        index = PrefixIndex(blocks: blocks, blockTokens: blockTokens)
        cached = RecencyList(blocks: blocks)
    }

    public var blockCount: Int { references.count }
    /// Blocks that nobody holds or knows.
    public var freeCount: Int { free.count }
    /// Blocks that nobody holds, and that the prefix index knows.
    public var cachedCount: Int { cached.count }
    /// Blocks that `append` can take: free and cached ones.
    public var availableCount: Int { freeCount + cachedCount }
    /// Blocks that a table holds.
    public var usedCount: Int { blockCount - availableCount }

    /// How many owners the block has; 0 when it is free or cached.
    public func references(to block: BlockID) -> Int { Int(references[Int(block)]) }

    // MARK: One block

    /// Takes a free block, or else the cached one that was used longest ago, with one reference; nil when there is none.
    mutating func allocate() -> BlockID? {
        guard let block = free.popLast() ?? evict() else { return nil }
        references[Int(block)] = 1
        return block
    }

    /// Adds an owner to a block that is in use or cached.
    mutating func retain(_ block: BlockID) {
        if references[Int(block)] == 0 {
            precondition(index.contains(block), "block \(block) is free")
            cached.remove(block)
        }
        references[Int(block)] += 1
    }

    /// Takes an owner from a block in use. With its last owner gone, it is cached if the index knows it, and else free.
    mutating func release(_ block: BlockID) {
        precondition(references[Int(block)] > 0, "block \(block) is released twice")
        references[Int(block)] -= 1
        guard references[Int(block)] == 0 else { return }
        if index.contains(block) { cached.append(block) } else { free.append(block) }
    }

    /// Takes the cached block that was used longest ago out of the index.
    private mutating func evict() -> BlockID? {
        guard let block = cached.first else { return nil }
        cached.remove(block)
        index.remove(block)
        evictions += 1
        return block
    }

    // MARK: A sequence's table

    /// What an append did to the blocks, for whoever owns their memory.
    public struct Growth: Equatable, Sendable {
        /// The partly filled last block was replaced, as others hold it or the index knows it: its bytes must be copied
        /// before anything is written.
        public var copy: Copy?
        /// How many blocks were added at the end of the table.
        public var added: Int

        public struct Copy: Equatable, Sendable {
            public var from: BlockID
            public var to: BlockID
        }
    }

    /// Makes room for `count` more tokens, which may be written at once: a last block that they would go into and that
    /// others hold, or that the index knows with all its tokens, is replaced by a copy of its own.
    ///
    /// - Returns: nil, with nothing changed, when too few blocks are available.
    public mutating func append(_ count: Int, to table: inout BlockTable) -> Growth? {
        precondition(count >= 0)
        guard count > 0 else { return Growth(copy: nil, added: 0) }
        let added = neededBlocks(table.tokenCount + count) - table.blocks.count
        let tail = partlyFilledTail(of: table)
        let isShared = tail.map { references(to: $0) > 1 } ?? false
        let isKnown = tail.map { index.contains($0) } ?? false
        guard availableCount >= added + (isShared ? 1 : 0) else { return nil }
        var growth = Growth(copy: nil, added: added)
        if let tail, isShared || isKnown && availableCount > added, let own = allocate() {
            growth.copy = .init(from: tail, to: own)
            table.blocks[table.blocks.count - 1] = own
        }
        for _ in 0..<added {
            if let block = allocate() { table.blocks.append(block) }
        }
        if let copy = growth.copy {
            release(copy.from)  // not before the others were taken, so that none of them is the one to copy from
        } else if let tail, isKnown {
            // No block is left for a copy, so no cached one either, and none that follows on this one in the index.
            index.remove(tail)
        }
        table.tokenCount += count
        return growth
    }

    /// How many fewer blocks are available after such an `append`; it succeeds when there are as many.
    public func blocksNeeded(toAppend count: Int, to table: BlockTable) -> Int {
        guard count > 0 else { return 0 }
        let added = neededBlocks(table.tokenCount + count) - table.blocks.count
        // A tail that only the index knows becomes available when a copy takes its place.
        let isShared = partlyFilledTail(of: table).map { references(to: $0) > 1 } ?? false
        return added + (isShared ? 1 : 0)
    }

    /// Forgets all tokens from position `count` on. Blocks are let go from the last to the first, so that the cached ones
    /// are evicted in this order.
    public mutating func truncate(_ table: inout BlockTable, to count: Int) {
        precondition(count >= 0 && count <= table.tokenCount, "cannot truncate \(table.tokenCount) tokens to \(count)")
        while table.blocks.count > neededBlocks(count) { release(table.blocks.removeLast()) }
        table.tokenCount = count
        table.publishedBlocks = min(table.publishedBlocks, count / blockTokens)
        if count == 0 { table.mayDifferFromForks = false }
    }

    /// A second owner of the same tokens. The two share every block until one of them appends to the last.
    public mutating func fork(_ table: BlockTable) -> BlockTable {
        for block in table.blocks { retain(block) }
        return table
    }

    private func neededBlocks(_ tokens: Int) -> Int { (tokens + blockTokens - 1) / blockTokens }

    /// The block that the next token goes into, if there is one.
    private func partlyFilledTail(of table: BlockTable) -> BlockID? {
        table.tokenCount.isMultiple(of: blockTokens) ? nil : table.blocks.last
    }
}
