// Random operations on a ledger, each mirrored in a model that knows blocks by the tokens in them.

import TestSupport
import Testing

@testable import KVCache

@Suite struct PrefixSharingModelTests {
    @Test(arguments: 0..<40)
    func randomOperationsKeepContentsAndOrder(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var model = SharingModel(using: &random)
        for _ in 0..<500 {
            model.step(using: &random)
            model.check()
        }
        #expect(model.appends > 0 && model.publications > 0)
    }

    /// What the seeds above reach: a model that never evicts or copies would prove little.
    @Test func theRandomOperationsReachEveryPath() {
        var reached = SharingModel.Reached()
        for seed in UInt64(0)..<40 {
            var random = SeededGenerator(seed: seed)
            var model = SharingModel(using: &random)
            for _ in 0..<500 { model.step(using: &random) }
            reached.add(model.reached)
        }
        #expect(
            reached.evictions > 100 && reached.refusals > 100 && reached.sharedCopies > 20 && reached.knownCopies > 20
                && reached.forgottenTails > 3 && reached.duplicates > 20 && reached.revivals > 20
                && reached.adoptedBlocks > 100 && reached.waits > 3,
            "\(reached)"
        )
    }
}

/// The ledger, and beside it the contents of every block: for each slot the tokens up to and with its own, as keys and
/// values are a function of those.
private struct SharingModel {
    private static let blockTokens = 2
    private static let salts = [nil, "a", "b"]

    struct Reached {
        var evictions = 0, refusals = 0, sharedCopies = 0, knownCopies = 0, forgottenTails = 0, duplicates = 0
        var revivals = 0, adoptedBlocks = 0, waits = 0

        mutating func add(_ other: Reached) {
            evictions += other.evictions
            refusals += other.refusals
            sharedCopies += other.sharedCopies
            knownCopies += other.knownCopies
            forgottenTails += other.forgottenTails
            duplicates += other.duplicates
            revivals += other.revivals
            adoptedBlocks += other.adoptedBlocks
            waits += other.waits
        }
    }

    private struct Key: Hashable {
        var salt: String?
        /// All tokens from the first to the block's last.
        var tokens: [Int32]
    }

    private struct Owner {
        var table = BlockTable()
        var tokens: [Int32] = []
        var salt: String?
    }

    private let mostOwners: Int
    private var ledger: BlockLedger
    private var memory: [[[Int32]]]
    private var owners: [Owner] = []
    private var known: [Key: BlockID] = [:]
    /// Known blocks without an owner, the next to be evicted first.
    private var order: [Key] = []
    private(set) var appends = 0
    private(set) var publications = 0
    private(set) var reached = Reached()

    /// Small pools, which run out, and large ones, in which much is shared.
    init(using random: inout SeededGenerator) {
        mostOwners = Int.random(in: 1...4, using: &random)
        let blocks = Int.random(in: 2...16, using: &random)
        ledger = BlockLedger(blocks: blocks, blockTokens: Self.blockTokens)
        memory = Array(repeating: Array(repeating: [], count: Self.blockTokens), count: blocks)
    }

    mutating func step(using random: inout SeededGenerator) {
        if owners.count > mostOwners { return drop(owners.indices.randomElement(using: &random)!, using: &random) }
        let index = owners.indices.randomElement(using: &random)
        switch (Int.random(in: 0..<13, using: &random), index) {
        case (0..<3, _), (_, nil): adopt(using: &random)
        case (3..<7, let index?): append(index, using: &random)
        case (7..<9, let index?): publish(index, upTo: Int.random(in: 0...owners[index].tokens.count, using: &random))
        case (9..<11, let index?): truncate(index, to: Int.random(in: 0...owners[index].tokens.count, using: &random))
        case (11, let index?):
            var fork = owners[index]
            fork.table = ledger.fork(fork.table)
            owners.append(fork)
        case (_, let index?): drop(index, using: &random)
        }
    }

    private mutating func drop(_ index: Int, using random: inout SeededGenerator) {
        if random.next() % 2 == 0 { publish(index, upTo: owners[index].tokens.count) }
        truncate(index, to: 0)
        owners.remove(at: index)
    }

    // MARK: Operations

    private mutating func adopt(using random: inout SeededGenerator) {
        // Two tokens and short prompts: most of them share something.
        let tokens = (0..<Int.random(in: 0...9, using: &random)).map { _ in Int32.random(in: 0...1, using: &random) }
        let limit = Int.random(in: -1...10, using: &random)
        let salt = Self.salts.randomElement(using: &random)!
        var expected: [BlockID] = []
        var count = Self.blockTokens
        while count <= min(limit, tokens.count), let block = known[Key(salt: salt, tokens: Array(tokens.prefix(count)))]
        {
            expected.append(block)
            count += Self.blockTokens
        }
        let table = ledger.adopt(tokens, salt: salt, atMost: limit)
        #expect(table.blocks == expected && table.publishedBlocks == expected.count)
        #expect(table.tokenCount == expected.count * Self.blockTokens)
        let before = order.count
        order.removeAll { expected.contains(known[$0]!) }
        reached.revivals += before - order.count
        reached.adoptedBlocks += expected.count
        owners.append(Owner(table: table, tokens: Array(tokens.prefix(table.tokenCount)), salt: salt))
    }

    private mutating func append(_ index: Int, using random: inout SeededGenerator) {
        let count = Int.random(in: 0...5, using: &random)
        let before = (owners[index].table, ledger.freeCount, ledger.availableCount, ledger.evictions)
        let needed = ledger.blocksNeeded(toAppend: count, to: owners[index].table)
        let start = owners[index].tokens.count
        let tail = start.isMultiple(of: Self.blockTokens) ? nil : owners[index].table.blocks.last
        let tailKey = tail.flatMap { block in known.first { $0.value == block }?.key }
        let tailReferences = tail.map { ledger.references(to: $0) } ?? 0
        guard let growth = ledger.append(count, to: &owners[index].table) else {
            #expect(needed > before.2)
            #expect(owners[index].table == before.0 && ledger.freeCount == before.1 && ledger.evictions == before.3)
            reached.refusals += 1
            return
        }
        appends += 1
        #expect(needed <= before.2 && ledger.availableCount == before.2 - needed)
        let evicted = max(0, growth.added + (growth.copy == nil ? 0 : 1) - before.1)
        #expect(ledger.evictions == before.3 + evicted)
        for _ in 0..<evicted { known[order.removeFirst()] = nil }
        reached.evictions += evicted
        if let copy = growth.copy {
            #expect(copy.from == tail && !owners[index].table.blocks.dropLast(growth.added + 1).contains(copy.to))
            #expect(tailReferences > 1 || tailKey != nil)
            memory[Int(copy.to)] = memory[Int(copy.from)]
            if tailReferences == 1, let tailKey { order.append(tailKey) }
            if tailReferences > 1 { reached.sharedCopies += 1 } else { reached.knownCopies += 1 }
        } else if count > 0, let tailKey {
            #expect(ledger.availableCount == 0)
            known[tailKey] = nil
            reached.forgottenTails += 1
        }
        for position in start..<start + count {
            owners[index].tokens.append(Int32.random(in: 0...1, using: &random))
            let block = owners[index].table.blocks[position / Self.blockTokens]
            #expect(ledger.references(to: block) == 1 && !ledger.index.contains(block), "written while others read it")
            memory[Int(block)][position % Self.blockTokens] = owners[index].tokens
        }
    }

    private mutating func publish(_ index: Int, upTo computed: Int) {
        let owner = owners[index]
        // More tokens than are computed may be given.
        ledger.publish(&owners[index].table, tokens: owner.tokens + [7], upTo: computed, salt: owner.salt)
        let table = owners[index].table
        let wanted = max(owner.table.publishedBlocks, computed / Self.blockTokens)
        let count = table.publishedBlocks
        #expect(count <= wanted && table.blocks.count == owner.table.blocks.count)
        if count < wanted {
            let waiting = table.blocks[count]
            #expect(ledger.references(to: waiting) > 1 && !known.values.contains(waiting))
            reached.waits += 1
        }
        for place in owner.table.publishedBlocks..<count {
            let key = Key(salt: owner.salt, tokens: Array(owner.tokens.prefix((place + 1) * Self.blockTokens)))
            if let block = known[key] {
                #expect(table.blocks[place] == block)
                if block != owner.table.blocks[place] { reached.duplicates += 1 }
                order.removeAll { $0 == key }
            } else {
                #expect(table.blocks[place] == owner.table.blocks[place])
                known[key] = table.blocks[place]
                publications += 1
            }
        }
        #expect(table.blocks.dropFirst(count) == owner.table.blocks.dropFirst(count))
    }

    private mutating func truncate(_ index: Int, to count: Int) {
        let blocks = owners[index].table.blocks
        ledger.truncate(&owners[index].table, to: count)
        owners[index].tokens.removeLast(owners[index].tokens.count - count)
        for block in blocks.dropFirst(owners[index].table.blocks.count).reversed()
        where ledger.references(to: block) == 0 {
            if let key = known.first(where: { $0.value == block })?.key { order.append(key) }
        }
    }

    // MARK: Invariants

    func check() {
        var references = Array(repeating: 0, count: ledger.blockCount)
        for owner in owners {
            #expect(owner.table.tokenCount == owner.tokens.count)
            #expect(owner.table.blocks.count == (owner.tokens.count + Self.blockTokens - 1) / Self.blockTokens)
            for block in owner.table.blocks { references[Int(block)] += 1 }
            for position in owner.tokens.indices {
                let block = owner.table.blocks[position / Self.blockTokens]
                #expect(memory[Int(block)][position % Self.blockTokens] == Array(owner.tokens[...position]))
            }
            for place in 0..<owner.table.publishedBlocks {
                #expect(ledger.index.contains(owner.table.blocks[place]))
            }
        }
        #expect(references == references.indices.map { ledger.references(to: BlockID($0)) })
        #expect(ledger.usedCount == references.count { $0 > 0 })
        #expect(ledger.freeCount + ledger.cachedCount + ledger.usedCount == ledger.blockCount)
        #expect(ledger.availableCount == ledger.freeCount + ledger.cachedCount)

        let indexed = (0..<BlockID(ledger.blockCount)).filter { ledger.index.contains($0) }
        #expect(Set(indexed) == Set(known.values) && indexed.count == known.count)
        #expect(ledger.index.saltCount == Set(known.keys.map(\.salt)).count)
        for (key, block) in known {
            #expect(Array(ledger.index.tokens(of: block)) == key.tokens.suffix(Self.blockTokens))
            for slot in 0..<Self.blockTokens {
                let length = key.tokens.count - Self.blockTokens + slot + 1
                #expect(memory[Int(block)][slot] == Array(key.tokens.prefix(length)))
            }
            let prefix = Key(salt: key.salt, tokens: key.tokens.dropLast(Self.blockTokens))
            #expect(ledger.index.parent(of: block) == known[prefix])
            #expect(prefix.tokens.isEmpty || known[prefix] != nil, "a block in the index has lost its prefix")
        }

        let cached = Array(ledger.cached.elements)
        #expect(cached == order.map { known[$0]! } && cached.count == ledger.cachedCount)
        #expect(cached.allSatisfy { references[Int($0)] == 0 })
        for (place, block) in cached.enumerated() {
            guard let parent = ledger.index.parent(of: block), references[Int(parent)] == 0 else { continue }
            #expect(cached[place...].contains(parent), "a prefix would be evicted before what follows on it")
        }
    }
}
