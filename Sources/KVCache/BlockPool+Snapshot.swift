// Blocks out of the pool and back into it.

import Tensor

extension BlockPool {
    /// A copy of the blocks that hold the first `count` tokens of a table, with zeros in the slots after them: what is
    /// there may be of other tokens, which the table has forgotten.
    ///
    /// Runs on the engine thread, at the speed of a memory copy.
    public func copyBlocks(of table: BlockTable, tokens count: Int) -> SharedBytes {
        precondition(count >= 0 && count <= table.tokenCount)
        let blocks = table.blocks.prefix(layout.blocks(for: count))
        return SharedBytes(count: blocks.count * layout.blockBytes) { bytes in
            for (place, block) in blocks.enumerated() {
                UnsafeMutableRawBufferPointer(
                    rebasing: bytes[place * layout.blockBytes..<(place + 1) * layout.blockBytes]
                )
                .copyMemory(from: UnsafeRawBufferPointer(self.bytes(of: block)))
            }
            clearUnusedSlots(of: bytes, tokens: count)
        }
    }

    /// A table of its own for tokens whose blocks were copied earlier. It is not published yet.
    ///
    /// - Parameters:
    ///   - bytes: as `copyBlocks(of:tokens:)` gives them
    ///   - count: the tokens that they hold
    /// - Returns: nil, with nothing changed, when too few blocks are available.
    public func restore(_ bytes: SharedBytes, tokens count: Int) -> BlockTable? {
        precondition(bytes.count == layout.blocks(for: count) * layout.blockBytes)
        guard let table = reserve(count) else { return nil }
        restore(bytes, into: table, from: 0)
        return table
    }

    /// A table of its own for tokens whose blocks will be restored: until they are, they hold anything.
    ///
    /// - Returns: nil, with nothing changed, when too few blocks are available.
    public func reserve(_ count: Int) -> BlockTable? {
        var table = BlockTable()
        // Not scrubbed: every byte is to be written.
        return ledger.append(count, to: &table) == nil ? nil : table
    }

    /// Puts blocks that were copied earlier into a reserved table, at the speed of a memory copy.
    ///
    /// - Parameters:
    ///   - bytes: whole blocks
    ///   - place: of the first one in the table
    public func restore(_ bytes: SharedBytes, into table: BlockTable, from place: Int) {
        precondition(bytes.count.isMultiple(of: layout.blockBytes))
        let blocks = table.blocks[place..<place + bytes.count / layout.blockBytes]
        bytes.withUnsafeBytes { bytes in
            for (number, block) in blocks.enumerated() {
                let range = number * layout.blockBytes..<(number + 1) * layout.blockBytes
                self.bytes(of: block).copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[range]))
            }
        }
        if blocks.endIndex == table.blocks.endIndex, let last = blocks.last {
            let before = (table.blocks.count - 1) * layout.blockTokens
            clearUnusedSlots(of: self.bytes(of: last), tokens: table.tokenCount - before)
        }
    }

    /// Zeros the slots after the last of `count` tokens in the last of their blocks.
    private func clearUnusedSlots(of blocks: UnsafeMutableRawBufferPointer, tokens count: Int) {
        let used = count % layout.blockTokens
        guard used > 0 else { return }
        layout.clearSlots(used..., of: UnsafeMutableRawBufferPointer(rebasing: blocks.suffix(layout.blockBytes)))
    }
}

extension BlockLayout {
    /// Zeros the keys and values of the last tokens of a block.
    func clearSlots(_ slots: PartialRangeFrom<Int>, of block: UnsafeMutableRawBufferPointer) {
        let size = type.byteCount
        for layer in 0..<layers {
            for head in 0..<kvHeads {
                let keys = keyOffset(layer: layer, head: head), values = valueOffset(layer: layer, head: head)
                for dimension in 0..<headSize {
                    for slot in slots.lowerBound..<blockTokens {
                        zero(block, keys + keyElement(slot: slot, dimension: dimension) * size, count: size)
                        zero(block, values + valueElement(slot: slot, dimension: dimension) * size, count: size)
                    }
                }
            }
        }
    }

    private func zero(_ block: UnsafeMutableRawBufferPointer, _ offset: Int, count: Int) {
        UnsafeMutableRawBufferPointer(rebasing: block[offset..<offset + count])
            .initializeMemory(as: UInt8.self, repeating: 0)
    }
}
