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
    public private(set) var ledger: BlockLedger
    private let memory: AlignedBuffer<UInt8>

    public init(layout: BlockLayout, blocks: Int) {
        self.layout = layout
        ledger = BlockLedger(blocks: blocks, blockTokens: layout.blockTokens)
        memory = AlignedBuffer(count: blocks * layout.blockBytes)
    }

    /// As many blocks as fit in `bytes`.
    public convenience init(layout: BlockLayout, bytes: Int) {
        self.init(layout: layout, blocks: bytes / layout.blockBytes)
    }

    public var blockCount: Int { ledger.blockCount }
    public var freeBlocks: Int { ledger.freeCount }
    public var usedBlocks: Int { ledger.usedCount }
    public var byteCount: Int { memory.count }

    // MARK: One block

    /// Takes a free block, with one reference and all bytes zero; nil when there is none.
    public func allocate() -> BlockID? {
        guard let block = ledger.allocate() else { return nil }
        scrub(block)
        return block
    }

    public func retain(_ block: BlockID) { ledger.retain(block) }

    public func release(_ block: BlockID) { ledger.release(block) }

    /// The bytes of a block, as ``BlockLayout`` describes them.
    public func bytes(of block: BlockID) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(memory.elements)[byteRange(block)])
    }

    // MARK: A sequence's table

    /// Makes room for `count` more tokens at the end of the table, ready to be written.
    ///
    /// - Returns: false, with nothing changed, when too few blocks are free.
    public func append(_ count: Int, to table: inout BlockTable) -> Bool {
        guard let growth = ledger.append(count, to: &table) else { return false }
        for block in table.blocks.suffix(growth.added) { scrub(block) }
        if let copy = growth.copy { bytes(of: copy.to).copyMemory(from: UnsafeRawBufferPointer(bytes(of: copy.from))) }
        return true
    }

    /// Forgets all tokens from position `count` on, and frees blocks that hold none of the rest.
    public func truncate(_ table: inout BlockTable, to count: Int) { ledger.truncate(&table, to: count) }

    /// A second owner of the same tokens; blocks are shared until one of the two appends.
    public func fork(_ table: BlockTable) -> BlockTable { ledger.fork(table) }

    /// Gives up all blocks of a table.
    public func release(_ table: inout BlockTable) { ledger.truncate(&table, to: 0) }

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
