// The memory of the KV cache: blocks of one size, allocated once.

import Tensor

/// A fixed number of KV blocks in one allocation, and who holds them.
///
/// Memory that no block ever used costs nothing: pages come with their first write. Blocks are handed out scrubbed, so a
/// block's bytes are a function of the tokens written to it, and nothing of a former owner can leak into a snapshot.
///
/// Not Sendable: the engine thread owns it. Running out of blocks is an answer (`nil`, `false`), never a crash.
public final class BlockPool {
    public let layout: BlockLayout
    public internal(set) var ledger: BlockLedger
    private let memory: AlignedBuffer<UInt8>

    public init(layout: BlockLayout, blocks: Int) {
        self.layout = layout
        ledger = BlockLedger(blocks: blocks, blockTokens: layout.blockTokens)
        // On small pages a session that comes back would spend most of its time on page faults.
        memory = AlignedBuffer(count: blocks * layout.blockBytes, isHuge: true)
    }

    /// As many blocks as fit in `bytes`.
    public convenience init(layout: BlockLayout, bytes: Int) {
        self.init(layout: layout, blocks: bytes / layout.blockBytes)
    }

    public var blockCount: Int { ledger.blockCount }
    /// Blocks that nobody holds and whose contents nobody knows.
    public var freeBlocks: Int { ledger.freeCount }
    /// Blocks that nobody holds, but that a sequence with the right tokens can adopt.
    public var cachedBlocks: Int { ledger.cachedCount }
    /// Blocks that `append` can take: free and cached ones.
    public var availableBlocks: Int { ledger.availableCount }
    /// Blocks that a table holds.
    public var usedBlocks: Int { ledger.usedCount }
    /// Cached blocks that were given away to be filled anew, since the start.
    public var evictions: Int { ledger.evictions }
    public var byteCount: Int { memory.count }

    /// The bytes of a block, as ``BlockLayout`` describes them.
    public func bytes(of block: BlockID) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(memory.elements)[byteRange(block)])
    }

    // MARK: A sequence's table

    /// Makes room for `count` more tokens at the end of the table, ready to be written.
    ///
    /// - Returns: false, with nothing changed, when too few blocks are available.
    public func append(_ count: Int, to table: inout BlockTable) -> Bool {
        guard let growth = ledger.append(count, to: &table) else { return false }
        for block in table.blocks.suffix(growth.added) { scrub(block) }
        if let copy = growth.copy { bytes(of: copy.to).copyMemory(from: UnsafeRawBufferPointer(bytes(of: copy.from))) }
        return true
    }

    /// Forgets all tokens from position `count` on, and lets go of blocks that hold none of the rest.
    public func truncate(_ table: inout BlockTable, to count: Int) { ledger.truncate(&table, to: count) }

    /// A second owner of the same tokens; blocks are shared until one of the two appends.
    public func fork(_ table: BlockTable) -> BlockTable { ledger.fork(table) }

    /// Gives up all blocks of a table. Published ones stay adoptable until their memory is needed.
    public func release(_ table: inout BlockTable) { ledger.truncate(&table, to: 0) }

    // MARK: Prefixes that sequences share

    /// A table of the longest known prefix of `tokens`, in full blocks and at most `limit` tokens. See
    /// ``BlockLedger/adopt(_:salt:atMost:)``.
    public func adopt(_ tokens: [Int32], salt: String?, atMost limit: Int) -> BlockTable {
        ledger.adopt(tokens, salt: salt, atMost: limit)
    }

    /// Makes the full blocks of a table known once they are written. See ``BlockLedger/publish(_:tokens:upTo:salt:)``.
    public func publish(_ table: inout BlockTable, tokens: [Int32], upTo computed: Int, salt: String?) {
        ledger.publish(&table, tokens: tokens, upTo: computed, salt: salt)
    }

    // MARK: For the kernels

    /// One KV head of one layer, in every block.
    public func head(_ head: Int, layer: Int) -> PagedHead {
        PagedHead(
            blocks: UnsafeRawPointer(memory.pointer),
            blockBytes: layout.blockBytes,
            blockTokens: layout.blockTokens,
            type: layout.type,
            keyOffset: layout.keyOffset(layer: layer, head: head),
            valueOffset: layout.valueOffset(layer: layer, head: head)
        )
    }

    /// First byte of a block.
    public func pointer(to block: BlockID) -> UnsafeMutableRawPointer {
        precondition(block >= 0 && Int(block) < blockCount)
        return UnsafeMutableRawPointer(memory.pointer) + Int(block) * layout.blockBytes
    }

    private func byteRange(_ block: BlockID) -> Range<Int> {
        let first = Int(block) * layout.blockBytes
        return first..<first + layout.blockBytes
    }

    private func scrub(_ block: BlockID) {
        bytes(of: block).initializeMemory(as: UInt8.self, repeating: 0)
    }
}
