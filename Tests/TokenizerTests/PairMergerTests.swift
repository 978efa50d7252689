import TestSupport
import Testing

@testable import Tokenizer

@Suite struct PairMergerTests {
    /// Merging as it is defined, without any cleverness.
    private func naive(_ word: [UInt8], _ merges: [[Int32]: MergeTable.Merge]) -> [Int32] {
        var symbols = word.map(Int32.init)
        while true {
            let candidates = symbols.indices.dropLast().compactMap { place in
                merges[[symbols[place], symbols[place + 1]]].map { (rank: $0.rank, place: place, token: $0.token) }
            }
            guard let best = candidates.min(by: { ($0.rank, $0.place) < ($1.rank, $1.place) }) else { return symbols }
            symbols.replaceSubrange(best.place...best.place + 1, with: [best.token])
        }
    }

    /// Random merges over few letters, so that they stack up high and get in each other's way; words on both sides of the
    /// limit between scan and heap.
    @Test(arguments: 0..<12 as Range<UInt64>)
    func scanAndHeapMergeAsDefined(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let letters = Int.random(in: 2...5, using: &random)
        var known = (0..<letters).map { Int32($0) }
        var merges: [[Int32]: MergeTable.Merge] = [:]
        var table = MergeTable(capacity: 60)
        for rank in 0..<60 as Range<UInt32> {
            let pair = [known.randomElement(using: &random)!, known.randomElement(using: &random)!]
            guard merges[pair] == nil else { continue }
            // Sometimes two pairs make one token.
            let token = rank % 5 == 4 ? known.randomElement(using: &random)! : Int32(100 + rank)
            known.append(token)
            merges[pair] = MergeTable.Merge(rank: rank, token: token)
            table.add(pair[0], pair[1], MergeTable.Merge(rank: rank, token: token))
        }
        var merger = PairMerger(merges: table)
        let tokenOfByte = (0..<256).map { Int32($0) }
        for length in 0..<3 * PairMerger.scanLimit {
            let word = (0..<length).map { _ in UInt8.random(in: 0..<UInt8(letters), using: &random) }
            var tokens: [Int32] = [-7]
            word.withUnsafeBufferPointer { merger.merge($0, tokenOfByte: tokenOfByte, into: &tokens) }
            #expect(tokens == [-7] + naive(word, merges), "\(word)")
        }
    }

    @Test func tableFindsWhatWasAdded() {
        var random = SeededGenerator(seed: 3)
        var table = MergeTable(capacity: 5000)
        var expected: [[Int32]: UInt32] = [:]
        for rank in 0..<5000 as Range<UInt32> {
            let pair = [Int32.random(in: 0..<200, using: &random), Int32.random(in: 0..<200, using: &random)]
            table.add(pair[0], pair[1], MergeTable.Merge(rank: rank, token: 1))
            expected[pair] = rank
        }
        for left in 0..<200 as Range<Int32> {
            for right in 0..<200 as Range<Int32> {
                #expect(table[left, right]?.rank == expected[[left, right]])
            }
        }
        #expect(MergeTable(capacity: 0)[0, 0] == nil)
    }
}
