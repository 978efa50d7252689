// The bookkeeping of blocks against a naive model, as values.

import TestSupport
import Testing

@testable import KVCache

@Suite struct BlockLedgerTests {
    @Test func allocatesEveryBlockOnceAndThenNone() {
        var ledger = BlockLedger(blocks: 5, blockTokens: 16)
        let blocks = (0..<5).compactMap { _ in ledger.allocate() }
        #expect(Set(blocks) == Set(0..<5))
        #expect(ledger.allocate() == nil)
        #expect(ledger.freeCount == 0 && ledger.usedCount == 5)
        ledger.release(3)
        #expect(ledger.freeCount == 1 && ledger.usedCount == 4)
        #expect(ledger.allocate() == 3)
    }

    @Test func freesABlockWithItsLastOwner() {
        var ledger = BlockLedger(blocks: 1, blockTokens: 16)
        let block = ledger.allocate()!
        ledger.retain(block)
        ledger.release(block)
        #expect(ledger.freeCount == 0)
        ledger.release(block)
        #expect(ledger.freeCount == 1)
    }

    @Test(arguments: [0, 1, 15, 16, 17, 31, 32, 33])
    func appendTakesAsManyBlocksAsTokensNeed(tokens: Int) {
        var ledger = BlockLedger(blocks: 8, blockTokens: 16)
        var table = BlockTable()
        let growth = ledger.append(tokens, to: &table)
        #expect(growth == .init(copy: nil, added: (tokens + 15) / 16))
        #expect(table.tokenCount == tokens && table.blocks.count == (tokens + 15) / 16)
        ledger.truncate(&table, to: 0)
        #expect(ledger.freeCount == 8 && table == BlockTable())
    }

    @Test func appendChangesNothingWhenBlocksRunOut() {
        var ledger = BlockLedger(blocks: 2, blockTokens: 16)
        var table = BlockTable()
        #expect(ledger.append(20, to: &table) != nil)
        let before = table
        #expect(ledger.blocksNeeded(toAppend: 13, to: table) == 1)
        #expect(ledger.append(13, to: &table) == nil)
        #expect(table == before && ledger.freeCount == 0)
        #expect(ledger.append(12, to: &table) == .init(copy: nil, added: 0))
    }

    @Test func aSharedPartlyFilledTailIsCopiedBeforeItIsWritten() {
        var ledger = BlockLedger(blocks: 4, blockTokens: 16)
        var table = BlockTable()
        _ = ledger.append(20, to: &table)
        var other = ledger.fork(table)
        #expect(ledger.usedCount == 2)
        let growth = ledger.append(1, to: &other)
        #expect(growth?.copy == .init(from: table.blocks[1], to: other.blocks[1]))
        #expect(table.blocks[0] == other.blocks[0] && table.blocks[1] != other.blocks[1])
        // The first owner is alone with its tail now and writes in place.
        #expect(ledger.append(1, to: &table)?.copy == nil)
        #expect(ledger.references(to: table.blocks[0]) == 2)
    }

    @Test func aCopyAlsoNeedsAFreeBlock() {
        var ledger = BlockLedger(blocks: 1, blockTokens: 16)
        var table = BlockTable()
        _ = ledger.append(3, to: &table)
        var other = ledger.fork(table)
        #expect(ledger.append(1, to: &other) == nil)
        ledger.truncate(&table, to: 0)
        #expect(ledger.append(1, to: &other) == .init(copy: nil, added: 0))
    }

    @Test func aSharedFullTailIsNotCopied() {
        var ledger = BlockLedger(blocks: 4, blockTokens: 16)
        var table = BlockTable()
        _ = ledger.append(16, to: &table)
        var other = ledger.fork(table)
        #expect(ledger.append(1, to: &other) == .init(copy: nil, added: 1))
    }

    @Test func truncatingIntoASharedBlockCopiesItOnTheNextAppend() {
        var ledger = BlockLedger(blocks: 8, blockTokens: 16)
        var table = BlockTable()
        _ = ledger.append(48, to: &table)
        var other = ledger.fork(table)
        ledger.truncate(&other, to: 20)
        #expect(other.blocks.count == 2 && ledger.references(to: table.blocks[2]) == 1)
        #expect(ledger.append(1, to: &other)?.copy?.from == table.blocks[1])
    }

    /// Random operations on several tables, each mirrored in a model that keeps the tokens themselves.
    @Test(arguments: 0..<20)
    func randomOperationsNeitherLeakNorFreeTwice(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let blocks = 24, blockTokens = 16
        var ledger = BlockLedger(blocks: blocks, blockTokens: blockTokens)
        var tables: [BlockTable] = []
        var memory = Array(repeating: Array(repeating: -1, count: blockTokens), count: blocks)
        var expected: [[Int]] = []
        var nextToken = 0

        for _ in 0..<400 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                tables.append(BlockTable())
                expected.append([])
            case 1..<6:
                guard let index = tables.indices.randomElement(using: &random) else { continue }
                let count = Int.random(in: 0...40, using: &random)
                let needed = ledger.blocksNeeded(toAppend: count, to: tables[index])
                let free = ledger.freeCount
                let start = tables[index].tokenCount
                guard let growth = ledger.append(count, to: &tables[index]) else {
                    #expect(needed > free)
                    continue
                }
                #expect(needed <= free && ledger.freeCount == free - needed)
                if let copy = growth.copy { memory[Int(copy.to)] = memory[Int(copy.from)] }
                for position in start..<start + count {
                    let block = tables[index].blocks[position / blockTokens]
                    #expect(ledger.references(to: block) == 1, "written while shared")
                    memory[Int(block)][position % blockTokens] = nextToken
                    expected[index].append(nextToken)
                    nextToken += 1
                }
            case 6, 7:
                guard let index = tables.indices.randomElement(using: &random) else { continue }
                let count = Int.random(in: 0...tables[index].tokenCount, using: &random)
                ledger.truncate(&tables[index], to: count)
                expected[index].removeLast(expected[index].count - count)
            case 8:
                guard let index = tables.indices.randomElement(using: &random) else { continue }
                tables.append(ledger.fork(tables[index]))
                expected.append(expected[index])
            default:
                guard let index = tables.indices.randomElement(using: &random) else { continue }
                ledger.truncate(&tables[index], to: 0)
                tables.remove(at: index)
                expected.remove(at: index)
            }

            var owners = Array(repeating: 0, count: blocks)
            for (table, tokens) in zip(tables, expected) {
                #expect(table.tokenCount == tokens.count)
                #expect(table.blocks.count == (tokens.count + blockTokens - 1) / blockTokens)
                for block in table.blocks { owners[Int(block)] += 1 }
                let read = tokens.indices.map { memory[Int(table.blocks[$0 / blockTokens])][$0 % blockTokens] }
                #expect(read == tokens)
            }
            #expect(owners == (0..<blocks).map { ledger.references(to: BlockID($0)) })
            #expect(ledger.usedCount == owners.count { $0 > 0 })
        }
    }
}
