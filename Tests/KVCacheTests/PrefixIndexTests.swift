// The radix tree by itself: exact keys, salts, hash collisions.

import Testing

@testable import KVCache

@Suite struct PrefixIndexTests {
    /// All hashes alike must change nothing but the time a look-up takes.
    @Test(arguments: [-1, 0, 1])
    func findsWhatWasInsertedAndNothingElse(hashMask: Int) {
        var index = PrefixIndex(blocks: 8, blockTokens: 2, hashMask: hashMask)
        let insertions: [(block: BlockID, parent: BlockID?, tokens: [Int32])] = [
            (0, nil, [1, 2]), (1, 0, [1, 2, 3, 4]), (2, 1, [1, 2, 3, 4, 5, 6]), (3, 0, [1, 2, 3, 5]), (4, nil, [3, 4]),
        ]
        for (block, parent, tokens) in insertions {
            #expect(index.block(after: parent, tokens, from: tokens.count - 2, salt: nil) == nil)
            index.insert(block, after: parent, tokens, from: tokens.count - 2, salt: nil)
            #expect(index.block(after: parent, tokens, from: tokens.count - 2, salt: nil) == block)
        }
        func prefix(_ tokens: [Int32], limit: Int = 9, salt: String? = nil) -> [BlockID] {
            index.longestPrefix(of: tokens, limit: limit, salt: salt)
        }
        #expect(prefix([1, 2, 3, 4, 5, 6, 7]) == [0, 1, 2])
        #expect(prefix([1, 2, 3, 4, 5, 6, 7], limit: 2) == [0, 1])
        #expect(prefix([1, 2, 3, 4, 5]) == [0, 1])
        #expect(prefix([1, 2, 3, 5, 5, 6]) == [0, 3])
        #expect(prefix([3, 4, 5, 6]) == [4])
        #expect(prefix([5, 6]) == [] && prefix([1]) == [] && prefix([]) == [] && prefix([1, 2], limit: 0) == [])
        #expect(index.parent(of: 2) == 1 && index.parent(of: 4) == nil && Array(index.tokens(of: 3)) == [3, 5])

        index.remove(2)
        index.remove(4)
        #expect(prefix([1, 2, 3, 4, 5, 6]) == [0, 1] && prefix([3, 4]) == [])
        #expect(index.contains(3) && !index.contains(2) && !index.contains(7))
        index.remove(1)
        #expect(prefix([1, 2, 3, 4]) == [0] && prefix([1, 2, 3, 5]) == [0, 3])
    }

    @Test func saltsShareNothing() {
        // Swift calls the last two equal: one is é, the other e with a combining accent.
        let salts = [nil, "", "a", "b", "\u{E9}", "e\u{301}"]
        var index = PrefixIndex(blocks: 6, blockTokens: 2)
        for (block, salt) in salts.enumerated() {
            #expect(index.longestPrefix(of: [1, 2], limit: 1, salt: salt) == [])
            index.insert(BlockID(block), after: nil, [1, 2], from: 0, salt: salt)
        }
        for (block, salt) in salts.enumerated() {
            #expect(index.longestPrefix(of: [1, 2], limit: 1, salt: salt) == [BlockID(block)])
        }
        #expect(index.saltCount == 6)
    }

    @Test func aSaltIsForgottenWithItsLastBlock() {
        var index = PrefixIndex(blocks: 3, blockTokens: 1)
        for round in 0..<5 {
            let salt = "tenant \(round)"
            index.insert(0, after: nil, [1], from: 0, salt: salt)
            index.insert(1, after: nil, [2], from: 0, salt: salt)
            index.insert(2, after: 1, [2, 3], from: 1, salt: salt)
            #expect(index.saltCount == 1)
            index.remove(2)
            index.remove(1)
            #expect(index.saltCount == 1)
            index.remove(0)
            #expect(index.saltCount == 0)
        }
    }
}
