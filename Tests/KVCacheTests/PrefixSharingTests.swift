// Blocks that outlive their owners: adopting, publishing, eviction, copies of published blocks.

import Testing

@testable import KVCache

@Suite struct PrefixSharingTests {
    /// A table of `tokens`, all of them published.
    private func published(_ tokens: [Int32], salt: String? = nil, in ledger: inout BlockLedger) -> BlockTable {
        var table = BlockTable()
        #expect(ledger.append(tokens.count, to: &table) != nil)
        ledger.publish(&table, tokens: tokens, upTo: tokens.count, salt: salt)
        return table
    }

    private let prompt: [Int32] = Array(0..<12)

    @Test func fullBlocksAreAdoptedByTheirTokens() {
        var ledger = BlockLedger(blocks: 8, blockTokens: 4)
        let owner = published(prompt, in: &ledger)
        #expect(owner.publishedBlocks == 3)
        let all = ledger.adopt(prompt + [99], salt: nil, atMost: 13)
        #expect(all.blocks == owner.blocks && all.tokenCount == 12 && all.publishedBlocks == 3)
        #expect(owner.blocks.allSatisfy { ledger.references(to: $0) == 2 })
        // The last token must run: its block is left out as a whole.
        #expect(ledger.adopt(prompt, salt: nil, atMost: 11).tokenCount == 8)
        #expect(ledger.adopt(Array(prompt.prefix(7)) + [99], salt: nil, atMost: 8).tokenCount == 4)
        #expect(ledger.adopt(prompt, salt: nil, atMost: 3) == BlockTable())
        #expect(ledger.adopt(prompt, salt: nil, atMost: -1) == BlockTable())
        #expect(ledger.adopt([1] + prompt, salt: nil, atMost: 13) == BlockTable())
        #expect(ledger.adopt(prompt, salt: "tenant", atMost: 12) == BlockTable())
    }

    @Test func onlyComputedFullBlocksArePublished() {
        var ledger = BlockLedger(blocks: 8, blockTokens: 4)
        var table = BlockTable()
        _ = ledger.append(12, to: &table)
        for (computed, blocks) in [(0, 0), (3, 0), (4, 1), (7, 1), (11, 2), (12, 3), (5, 3)] {
            ledger.publish(&table, tokens: prompt, upTo: computed, salt: nil)
            #expect(table.publishedBlocks == blocks)
            #expect(ledger.index.longestPrefix(of: prompt, limit: 9, salt: nil) == Array(table.blocks.prefix(blocks)))
        }
    }

    @Test func releasedBlocksStayAdoptableAndCountAsAvailable() {
        var ledger = BlockLedger(blocks: 4, blockTokens: 4)
        var table = published(prompt, in: &ledger)
        let blocks = table.blocks
        ledger.truncate(&table, to: 0)
        #expect(ledger.freeCount == 1 && ledger.cachedCount == 3 && ledger.availableCount == 4 && ledger.usedCount == 0)
        #expect(ledger.adopt(prompt, salt: nil, atMost: 12).blocks == blocks)
        #expect(ledger.freeCount == 1 && ledger.cachedCount == 0 && ledger.usedCount == 3 && ledger.evictions == 0)
    }

    @Test func tailsAreEvictedBeforeHeadsAndFreeBlocksBeforeBoth() {
        var ledger = BlockLedger(blocks: 7, blockTokens: 4)
        var old = published(prompt, in: &ledger)
        let (a, b, c) = (old.blocks[0], old.blocks[1], old.blocks[2])
        var young = published(Array(100..<108), in: &ledger)
        let (d, e) = (young.blocks[0], young.blocks[1])
        ledger.truncate(&old, to: 0)
        ledger.truncate(&young, to: 0)
        #expect(Array(ledger.cached.elements) == [c, b, a, e, d])

        // Use makes young again, and does so for what was used alone.
        var again = ledger.adopt(prompt, salt: nil, atMost: 8)
        ledger.truncate(&again, to: 0)
        #expect(Array(ledger.cached.elements) == [c, e, d, b, a])

        var table = BlockTable()
        _ = ledger.append(8, to: &table)
        #expect(ledger.evictions == 0)
        for (evicted, block) in [c, e, d, b, a].enumerated() {
            #expect(ledger.append(4, to: &table) == .init(copy: nil, added: 1))
            #expect(table.blocks.last == block && ledger.evictions == evicted + 1)
        }
        #expect(ledger.append(1, to: &table) == nil && ledger.evictions == 5)
        #expect(ledger.adopt(prompt, salt: nil, atMost: 12) == BlockTable())
    }

    @Test func equalContentsComputedTwiceEndUpInOneBlock() {
        var ledger = BlockLedger(blocks: 8, blockTokens: 4)
        var first = published(prompt, in: &ledger)
        var second = BlockTable()
        _ = ledger.append(14, to: &second)
        let own = second.blocks
        ledger.publish(&second, tokens: Array(prompt.prefix(8)) + [50, 51, 52, 53, 54, 55], upTo: 14, salt: nil)
        #expect(second.blocks == [first.blocks[0], first.blocks[1], own[2], own[3]])
        #expect(ledger.references(to: first.blocks[0]) == 2 && ledger.freeCount == 3)
        // A cached block is taken up again by whoever computes it again.
        ledger.truncate(&first, to: 0)
        #expect(ledger.cachedCount == 1)
        let third = published(prompt, in: &ledger)
        #expect(ledger.cachedCount == 0 && ledger.usedCount == 5 && third.blocks.count == 3)
    }

    @Test func twoOwnersOfOneUnpublishedBlockPublishItOnce() {
        var ledger = BlockLedger(blocks: 8, blockTokens: 4)
        var table = BlockTable()
        _ = ledger.append(8, to: &table)
        var fork = ledger.fork(table)
        let blocks = table.blocks
        ledger.publish(&table, tokens: prompt, upTo: 8, salt: "a")
        ledger.publish(&fork, tokens: prompt, upTo: 8, salt: "a")
        #expect(table.blocks == blocks && fork == table && blocks.allSatisfy { ledger.references(to: $0) == 2 })
    }

    /// Two tables share both blocks, and a third one was first to publish the same tokens: once one of the two holds the
    /// third's first block, the shared second block must not be known to follow on it while the other holds it too.
    @Test func aSharedBlockWaitsUntilAllItsOwnersHoldTheBlockBeforeIt() {
        var ledger = BlockLedger(blocks: 6, blockTokens: 4)
        var first = BlockTable()
        _ = ledger.append(8, to: &first)
        var fork = ledger.fork(first)
        let shared = first.blocks[1]
        var third = published(Array(prompt.prefix(4)), in: &ledger)
        ledger.publish(&fork, tokens: prompt, upTo: 8, salt: nil)
        #expect(fork.blocks == [third.blocks[0], shared] && fork.publishedBlocks == 1)
        #expect(!ledger.index.contains(shared))
        ledger.publish(&first, tokens: prompt, upTo: 8, salt: nil)
        #expect(first.blocks == fork.blocks && first.publishedBlocks == 2 && ledger.index.contains(shared))
        ledger.publish(&fork, tokens: prompt, upTo: 8, salt: nil)
        #expect(fork.publishedBlocks == 2)
        ledger.truncate(&third, to: 0)
        ledger.truncate(&fork, to: 0)
        ledger.truncate(&first, to: 0)
        #expect(Array(ledger.cached.elements) == [shared, ledger.index.parent(of: shared)!] && fork == BlockTable())
    }

    @Test func aPublishedBlockIsNotWrittenByItsOnlyOwner() {
        var ledger = BlockLedger(blocks: 4, blockTokens: 4)
        var table = published(prompt, in: &ledger)
        let blocks = table.blocks
        ledger.truncate(&table, to: 6)
        #expect(table.publishedBlocks == 1 && ledger.cachedCount == 1)
        #expect(ledger.blocksNeeded(toAppend: 1, to: table) == 0)
        let growth = ledger.append(1, to: &table)
        #expect(growth == .init(copy: .init(from: blocks[1], to: table.blocks[1]), added: 0))
        #expect(table.blocks[0] == blocks[0] && table.blocks[1] != blocks[1])
        #expect(ledger.freeCount == 0 && ledger.cachedCount == 2 && ledger.usedCount == 2)
        #expect(ledger.adopt(prompt, salt: nil, atMost: 12).blocks == blocks)

        // The copy becomes known by its own tokens, or falls together with the original.
        _ = ledger.append(1, to: &table)
        ledger.publish(&table, tokens: prompt, upTo: 8, salt: nil)
        #expect(table.blocks == Array(blocks.prefix(2)) && ledger.freeCount == 1)
    }

    @Test func withNoBlockForACopyTheIndexForgetsTheTailInstead() {
        var ledger = BlockLedger(blocks: 3, blockTokens: 4)
        var table = published(prompt, in: &ledger)
        let blocks = table.blocks
        ledger.truncate(&table, to: 6)
        // The last block's contents go first: 8 more tokens need it, and then none is left for a copy.
        #expect(ledger.blocksNeeded(toAppend: 6, to: table) == 1)
        #expect(ledger.append(6, to: &table) == .init(copy: nil, added: 1))
        #expect(table.blocks == blocks && ledger.evictions == 1 && ledger.availableCount == 0)
        #expect(ledger.adopt(prompt, salt: nil, atMost: 12).blocks == [blocks[0]])
    }

    @Test func aSharedPublishedTailNeedsABlockForItsCopy() {
        var ledger = BlockLedger(blocks: 3, blockTokens: 4)
        var table = published(prompt, in: &ledger)
        var fork = ledger.fork(table)
        ledger.truncate(&fork, to: 10)
        let before = (fork, ledger.usedCount)
        #expect(ledger.blocksNeeded(toAppend: 1, to: fork) == 1)
        #expect(ledger.append(1, to: &fork) == nil)
        #expect(fork == before.0 && ledger.usedCount == before.1 && ledger.references(to: table.blocks[2]) == 2)
        ledger.truncate(&table, to: 0)
        #expect(ledger.append(1, to: &fork) == .init(copy: nil, added: 0))
    }

    @Test func exhaustionChangesNothing() {
        var ledger = BlockLedger(blocks: 4, blockTokens: 4)
        var cached = published(Array(50..<58), in: &ledger)
        ledger.truncate(&cached, to: 0)
        var table = BlockTable()
        _ = ledger.append(5, to: &table)
        let order = Array(ledger.cached.elements)
        let before = table
        #expect(ledger.append(12, to: &table) == nil)
        #expect(table == before && Array(ledger.cached.elements) == order && ledger.evictions == 0)
        #expect(ledger.append(11, to: &table) != nil && ledger.evictions == 2)
    }
}
