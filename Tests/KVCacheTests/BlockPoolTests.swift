// The pool's memory: layout, copies, scrubbing.

import Tensor
import Testing

@testable import KVCache

@Suite struct BlockPoolTests {
    static let layouts = [
        BlockLayout(layers: 1, kvHeads: 1, headSize: 2),
        BlockLayout(layers: 3, kvHeads: 2, headSize: 6, blockTokens: 32),
        BlockLayout(layers: 2, kvHeads: 3, headSize: 4, type: .bf16),
    ]

    @Test(arguments: layouts)
    func everyElementOfABlockHasOnePlace(layout: BlockLayout) {
        var seen = Array(repeating: 0, count: layout.blockBytes / layout.type.byteCount)
        for layer in 0..<layout.layers {
            for head in 0..<layout.kvHeads {
                let key = layout.keyOffset(layer: layer, head: head) / layout.type.byteCount
                let value = layout.valueOffset(layer: layer, head: head) / layout.type.byteCount
                for slot in 0..<layout.blockTokens {
                    for dimension in 0..<layout.headSize {
                        seen[key + layout.keyElement(slot: slot, dimension: dimension)] += 1
                        seen[value + layout.valueElement(slot: slot, dimension: dimension)] += 1
                    }
                }
            }
        }
        #expect(seen.allSatisfy { $0 == 1 })
        #expect(layout.tokenBytes == 2 * layout.layers * layout.kvHeads * layout.headSize * layout.type.byteCount)
    }

    /// Snapshots hold blocks as they are: these figures are a format.
    @Test func theLayoutIsTheDocumentedOne() {
        let layout = BlockLayout(layers: 3, kvHeads: 2, headSize: 8, blockTokens: 32)
        #expect(layout.blockBytes == 3 * 2 * 2 * 32 * 8 * 4)
        #expect(layout.keyOffset(layer: 0, head: 1) == 32 * 8 * 4)
        #expect(layout.valueOffset(layer: 0, head: 0) == 2 * 32 * 8 * 4)
        #expect(layout.keyOffset(layer: 1, head: 0) == 2 * 2 * 32 * 8 * 4)
        #expect(layout.keyElement(slot: 3, dimension: 5) == 5 * 16 + 3)
        #expect(layout.keyElement(slot: 17, dimension: 2) == 16 * 8 + 2 * 16 + 1)
        #expect(layout.valueElement(slot: 3, dimension: 5) == 3 * 8 + 5)
        let pairs = BlockLayout(layers: 3, kvHeads: 2, headSize: 8, blockTokens: 32, type: .bf16)
        #expect(pairs.keyElement(slot: 3, dimension: 5) == (2 * 16 + 3) * 2 + 1)
        #expect(pairs.keyElement(slot: 17, dimension: 2) == 16 * 8 + (1 * 16 + 1) * 2)
        #expect(pairs.valueElement(slot: 3, dimension: 5) == (1 * 8 + 5) * 2 + 1)
    }

    @Test func sizeInBytesRoundsDownToBlocks() {
        let layout = Self.layouts[0]
        #expect(BlockPool(layout: layout, bytes: layout.blockBytes * 3 - 1).blockCount == 2)
        var table = BlockTable()
        #expect(!BlockPool(layout: layout, bytes: 0).append(1, to: &table))
    }

    @Test func blocksDoNotOverlapAndAreScrubbedWhenHandedOut() {
        let pool = BlockPool(layout: Self.layouts[1], blocks: 3)
        var table = BlockTable()
        #expect(pool.append(3 * pool.layout.blockTokens, to: &table))
        let blocks = table.blocks
        #expect(Set(blocks).count == 3)
        for block in blocks {
            let bytes = pool.bytes(of: block)
            #expect(bytes.count == pool.layout.blockBytes && bytes.allSatisfy { $0 == 0 })
            #expect(bytes.baseAddress == pool.pointer(to: block))
            bytes.initializeMemory(as: UInt8.self, repeating: UInt8(block) + 1)
        }
        for block in blocks { #expect(pool.bytes(of: block).allSatisfy { $0 == UInt8(block) + 1 }) }
        pool.release(&table)
        #expect(pool.append(40, to: &table))
        for block in table.blocks { #expect(pool.bytes(of: block).allSatisfy { $0 == 0 }) }
    }

    @Test func aCopiedTailStartsWithTheSharedBytes() {
        let pool = BlockPool(layout: Self.layouts[0], blocks: 3)
        var table = BlockTable()
        #expect(pool.append(5, to: &table))
        pool.bytes(of: table.blocks[0]).initializeMemory(as: UInt8.self, repeating: 7)
        var other = pool.fork(table)
        #expect(pool.append(1, to: &other))
        #expect(other.blocks != table.blocks)
        #expect(pool.bytes(of: other.blocks[0]).allSatisfy { $0 == 7 })
        pool.bytes(of: other.blocks[0]).initializeMemory(as: UInt8.self, repeating: 9)
        #expect(pool.bytes(of: table.blocks[0]).allSatisfy { $0 == 7 })
        pool.release(&table)
        pool.release(&other)
        #expect(pool.freeBlocks == 3)
    }

    @Test func aPublishedPrefixKeepsItsBytesUntilItsBlocksAreNeeded() {
        let pool = BlockPool(layout: Self.layouts[0], blocks: 3)
        let prompt = (0..<40).map { Int32($0) }
        var table = BlockTable()
        #expect(pool.append(40, to: &table))
        for block in table.blocks {
            pool.bytes(of: block).initializeMemory(as: UInt8.self, repeating: UInt8(block) + 1)
        }
        let contents = table.blocks.map { Array(pool.bytes(of: $0)) }
        pool.publish(&table, tokens: prompt, upTo: 40, salt: nil)
        pool.release(&table)
        #expect(pool.freeBlocks == 1 && pool.cachedBlocks == 2 && pool.availableBlocks == 3 && pool.usedBlocks == 0)

        var adopted = pool.adopt(prompt, salt: nil, atMost: 39)
        #expect(adopted.tokenCount == 32 && pool.usedBlocks == 2)
        #expect(adopted.blocks.map { Array(pool.bytes(of: $0)) } == Array(contents.prefix(2)))
        pool.release(&adopted)

        #expect(pool.append(33, to: &table) && pool.evictions == 2)
        for block in table.blocks { #expect(pool.bytes(of: block).allSatisfy { $0 == 0 }) }
    }

    @Test func aTruncatedPublishedBlockIsCopiedBeforeItIsWritten() {
        let pool = BlockPool(layout: Self.layouts[0], blocks: 2)
        var table = BlockTable()
        #expect(pool.append(16, to: &table))
        let known = table.blocks[0]
        pool.bytes(of: known).initializeMemory(as: UInt8.self, repeating: 5)
        pool.publish(&table, tokens: Array(repeating: 1, count: 16), upTo: 16, salt: nil)
        pool.truncate(&table, to: 7)
        #expect(pool.append(1, to: &table) && table.blocks != [known])
        #expect(pool.bytes(of: table.blocks[0]).allSatisfy { $0 == 5 })
        pool.bytes(of: table.blocks[0]).initializeMemory(as: UInt8.self, repeating: 6)
        #expect(pool.bytes(of: known).allSatisfy { $0 == 5 })
        #expect(pool.adopt(Array(repeating: 1, count: 16), salt: nil, atMost: 16).blocks == [known])
    }
}
