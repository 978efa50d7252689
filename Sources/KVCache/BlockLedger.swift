// Who holds which block: the bookkeeping of the block pool, as a value without the memory.

/// Free list and reference counts of a fixed number of blocks.
///
/// Cost: everything is O(1) per block touched, and nothing allocates but a growing block table.
public struct BlockLedger: Sendable {
    public let blockTokens: Int
    /// References to each block; 0 is free.
    private var references: [Int32]
    /// Free blocks, the next one last: what was freed last is used first, as it may still be in a cache.
    private var free: [BlockID]

    public init(blocks: Int, blockTokens: Int) {
        precondition(blocks >= 0 && blocks <= Int(BlockID.max) && blockTokens > 0)
        self.blockTokens = blockTokens
        references = Array(repeating: 0, count: blocks)
        free = (0..<BlockID(blocks)).reversed()
    }

    public var blockCount: Int { references.count }
    public var freeCount: Int { free.count }
    public var usedCount: Int { blockCount - freeCount }

    /// How many owners the block has; 0 when it is free.
    public func references(to block: BlockID) -> Int { Int(references[Int(block)]) }

    // MARK: One block

    /// Takes a free block, with one reference; nil when there is none.
    public mutating func allocate() -> BlockID? {
        guard let block = free.popLast() else { return nil }
        references[Int(block)] = 1
        return block
    }

    /// Adds an owner to a block in use.
    public mutating func retain(_ block: BlockID) {
        precondition(references[Int(block)] > 0, "block \(block) is free")
        references[Int(block)] += 1
    }

    /// Takes an owner from a block in use. Returns whether that was the last and the block is free now.
    @discardableResult
    public mutating func release(_ block: BlockID) -> Bool {
        precondition(references[Int(block)] > 0, "block \(block) is released twice")
        references[Int(block)] -= 1
        guard references[Int(block)] == 0 else { return false }
        free.append(block)
        return true
    }

    // MARK: A sequence's table

    /// What an append did to the blocks, for whoever owns their memory.
    public struct Growth: Equatable, Sendable {
        /// The shared, partly filled last block was replaced: its bytes must be copied before anything is written.
        public var copy: Copy?
        /// How many blocks were added at the end of the table.
        public var added: Int

        public struct Copy: Equatable, Sendable {
            public var from: BlockID
            public var to: BlockID
        }
    }

    /// Makes room for `count` more tokens, which may be written at once: a shared last block that they would go into is
    /// replaced by a copy of its own.
    ///
    /// - Returns: nil, with nothing changed, when too few blocks are free.
    public mutating func append(_ count: Int, to table: inout BlockTable) -> Growth? {
        precondition(count >= 0)
        guard count > 0 else { return Growth(copy: nil, added: 0) }
        let added = neededBlocks(table.tokenCount + count) - table.blocks.count
        let shared = sharedTail(of: table)
        guard free.count >= added + (shared == nil ? 0 : 1) else { return nil }
        var growth = Growth(copy: nil, added: added)
        if let shared, let own = allocate() {
            growth.copy = .init(from: shared, to: own)
            table.blocks[table.blocks.count - 1] = own
            release(shared)
        }
        for _ in 0..<added {
            if let block = allocate() { table.blocks.append(block) }
        }
        table.tokenCount += count
        return growth
    }

    /// How many blocks `append` would take from the free ones.
    public func blocksNeeded(toAppend count: Int, to table: BlockTable) -> Int {
        guard count > 0 else { return 0 }
        let added = neededBlocks(table.tokenCount + count) - table.blocks.count
        return added + (sharedTail(of: table) == nil ? 0 : 1)
    }

    /// Forgets all tokens from position `count` on.
    public mutating func truncate(_ table: inout BlockTable, to count: Int) {
        precondition(count >= 0 && count <= table.tokenCount, "cannot truncate \(table.tokenCount) tokens to \(count)")
        while table.blocks.count > neededBlocks(count) { release(table.blocks.removeLast()) }
        table.tokenCount = count
    }

    /// A second owner of the same tokens. The two share every block until one of them appends to the last.
    public mutating func fork(_ table: BlockTable) -> BlockTable {
        for block in table.blocks { retain(block) }
        return table
    }

    private func neededBlocks(_ tokens: Int) -> Int { (tokens + blockTokens - 1) / blockTokens }

    /// The last block, if it is partly filled and has other owners.
    private func sharedTail(of table: BlockTable) -> BlockID? {
        guard !table.tokenCount.isMultiple(of: blockTokens), let last = table.blocks.last, references(to: last) > 1
        else { return nil }
        return last
    }
}
