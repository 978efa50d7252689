// Which block holds the keys and values of which tokens: a radix tree over full blocks.

/// Finds blocks by their contents: a block is known by the block before it, or a tenant's root, and its own tokens.
///
/// Keys and values of a token are a function of all tokens up to it and of nothing else, so the path from a root to a block
/// says exactly what bytes the block holds. The chain count is no part of it: one index serves every size.
///
/// Hashes only lead to candidates. A hit compares the tokens themselves, so no crafted prompt reads another's cache, and
/// the hash is seeded per process, so none makes look-ups slow.
///
/// The ledger keeps the rules that make block numbers good as names: a block in the index keeps its contents, and the
/// block before it is in the index too.
///
/// Cost: O(tokens of a block) for each block found, added or removed. 4 bytes per token of the pool, and 12 per block.
struct PrefixIndex: Sendable {
    private static let unknown = Int32.min
    private static let none: BlockID = -1

    let blockTokens: Int
    /// Tokens of each block, [blocks][blockTokens].
    private var tokens: [Int32]
    /// The block before each block, the number of a root, or `unknown` for a block that is not in the index.
    private var parents: [Int32]
    /// How many indexed blocks follow directly on each block.
    private var children: [Int32]
    /// The first block of each hash, and from each block to the next with the same hash.
    private var firstAlike: [Int: BlockID] = [:]
    private var nextAlike: [BlockID]
    private var roots = SaltRoots()
    private let hashMask: Int

    /// - Parameter hashMask: which bits of the hash count; tests make all blocks collide with 0
    init(blocks: Int, blockTokens: Int, hashMask: Int = -1) {
        self.blockTokens = blockTokens
        self.hashMask = hashMask
        tokens = Array(repeating: 0, count: blocks * blockTokens)
        parents = Array(repeating: Self.unknown, count: blocks)
        children = Array(repeating: 0, count: blocks)
        nextAlike = Array(repeating: Self.none, count: blocks)
    }

    /// Salts that at least one block is known under.
    var saltCount: Int { roots.count }

    func contains(_ block: BlockID) -> Bool { parents[Int(block)] != Self.unknown }

    /// The block before an indexed block; nil for the first block of a sequence.
    func parent(of block: BlockID) -> BlockID? {
        let parent = parents[Int(block)]
        return parent < 0 ? nil : parent
    }

    /// The tokens of an indexed block.
    func tokens(of block: BlockID) -> ArraySlice<Int32> {
        tokens[Int(block) * blockTokens..<(Int(block) + 1) * blockTokens]
    }

    /// The blocks that hold the first tokens of a sequence, at most `limit` of them.
    func longestPrefix(of sequence: [Int32], limit: Int, salt: String?) -> [BlockID] {
        var blocks: [BlockID] = []
        guard var parent = roots.number(of: salt) else { return blocks }
        while blocks.count < min(limit, sequence.count / blockTokens),
            let block = find(after: parent, sequence, from: blocks.count * blockTokens)
        {
            blocks.append(block)
            parent = block
        }
        return blocks
    }

    /// The block that holds `blockTokens` tokens of a sequence from `start` on.
    ///
    /// - Parameter parent: the indexed block that holds the tokens before them; nil when `start` is 0
    func block(after parent: BlockID?, _ sequence: [Int32], from start: Int, salt: String?) -> BlockID? {
        guard let parent = parent ?? roots.number(of: salt) else { return nil }
        return find(after: parent, sequence, from: start)
    }

    /// Makes a block known as the one that holds what `block(after:_:from:salt:)` finds nothing for.
    mutating func insert(
        _ block: BlockID,
        after parent: BlockID?,
        _ sequence: [Int32],
        from start: Int,
        salt: String?
    ) {
        precondition(!contains(block), "block \(block) is indexed under other tokens or another salt")
        let place = Int(block)
        if let parent {
            precondition(contains(parent), "block \(parent) is not indexed")
            children[Int(parent)] += 1
            parents[place] = parent
        } else {
            parents[place] = roots.attach(to: salt)
        }
        for offset in 0..<blockTokens { tokens[place * blockTokens + offset] = sequence[start + offset] }
        let hash = hash(after: parents[place], sequence, from: start)
        nextAlike[place] = firstAlike[hash] ?? Self.none
        firstAlike[hash] = block
    }

    /// Forgets a block, on which no other may follow.
    mutating func remove(_ block: BlockID) {
        let place = Int(block)
        precondition(contains(block), "block \(block) is not indexed")
        precondition(children[place] == 0, "blocks follow on block \(block)")
        unlink(block, hash: hash(after: parents[place], tokens, from: place * blockTokens))
        if let parent = parent(of: block) {
            children[Int(parent)] -= 1
        } else {
            roots.detach(from: parents[place])
        }
        parents[place] = Self.unknown
    }

    private func find(after parent: Int32, _ sequence: [Int32], from start: Int) -> BlockID? {
        var candidate = firstAlike[hash(after: parent, sequence, from: start)] ?? Self.none
        while candidate != Self.none {
            if parents[Int(candidate)] == parent, holds(candidate, sequence, from: start) { return candidate }
            candidate = nextAlike[Int(candidate)]
        }
        return nil
    }

    private func holds(_ block: BlockID, _ sequence: [Int32], from start: Int) -> Bool {
        let first = Int(block) * blockTokens
        for offset in 0..<blockTokens where tokens[first + offset] != sequence[start + offset] { return false }
        return true
    }

    private func hash(after parent: Int32, _ sequence: [Int32], from start: Int) -> Int {
        var hasher = Hasher()
        hasher.combine(parent)
        sequence[start..<start + blockTokens].withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize() & hashMask
    }

    /// Takes a block out of the list of those with its hash.
    private mutating func unlink(_ block: BlockID, hash: Int) {
        let next = nextAlike[Int(block)]
        nextAlike[Int(block)] = Self.none
        guard var before = firstAlike[hash], before != block else {
            firstAlike[hash] = next == Self.none ? nil : next
            return
        }
        while nextAlike[Int(before)] != block { before = nextAlike[Int(before)] }
        nextAlike[Int(before)] = next
    }
}
