// Byte-pair merging of one word: join the neighbours whose merge ranks lowest, leftmost first, until none is left.

/// Scratch memory for merging words one after another.
///
/// A short word is scanned again after each merge, which beats any structure up to some tens of bytes. A longer one uses
/// a heap of candidate pairs over a linked list of symbols, O(n log n), so that a long "word" without spaces cannot hold
/// up the server. Both give the same tokens.
struct PairMerger {
    private let merges: MergeTable
    /// The scan costs about n^2 / 2 look-ups at worst, the heap 3 n log n of something dearer.
    static let scanLimit = 40

    private var symbols: [Int32] = []
    private var ranks: [UInt32] = []
    /// Neighbours of each symbol; -1 at the ends. A symbol merged into its left neighbour has token -1.
    private var left: [Int32] = []
    private var right: [Int32] = []
    private var heap: [Candidate] = []

    /// A pair that merges, or did when it was found: it is stale when the pair at its place has another rank by now.
    private struct Candidate {
        var rank: UInt32
        /// The left symbol's place.
        var place: Int32

        static func < (left: Candidate, right: Candidate) -> Bool {
            (left.rank, left.place) < (right.rank, right.place)
        }
    }

    init(merges: MergeTable) { self.merges = merges }

    /// Appends the tokens of `word`, given the token of each byte.
    mutating func merge(_ word: UnsafeBufferPointer<UInt8>, tokenOfByte: [Int32], into tokens: inout [Int32]) {
        symbols.removeAll(keepingCapacity: true)
        for byte in word { symbols.append(tokenOfByte[Int(byte)]) }
        if symbols.count <= Self.scanLimit {
            mergeByScanning()
            tokens.append(contentsOf: symbols)
        } else {
            mergeByHeap()
            for symbol in symbols where symbol >= 0 { tokens.append(symbol) }
        }
    }

    private mutating func mergeByScanning() {
        guard symbols.count > 1 else { return }
        // ranks[i] is the rank of the pair (i, i + 1), .max if it does not merge.
        ranks.removeAll(keepingCapacity: true)
        for place in 0..<symbols.count - 1 { ranks.append(merges[symbols[place], symbols[place + 1]]?.rank ?? .max) }
        while true {
            var best = 0
            var bestRank = UInt32.max
            for place in ranks.indices where ranks[place] < bestRank { (best, bestRank) = (place, ranks[place]) }
            guard bestRank < .max, let merge = merges[symbols[best], symbols[best + 1]] else { return }
            symbols[best] = merge.token
            symbols.remove(at: best + 1)
            ranks.remove(at: best)
            if best < ranks.count { ranks[best] = merges[symbols[best], symbols[best + 1]]?.rank ?? .max }
            if best > 0 { ranks[best - 1] = merges[symbols[best - 1], symbols[best]]?.rank ?? .max }
        }
    }

    private mutating func mergeByHeap() {
        let count = Int32(symbols.count)
        left = Array(-1..<count - 1)
        right = Array(1...count)
        right[Int(count) - 1] = -1
        heap.removeAll(keepingCapacity: true)
        for place in 0..<count { addCandidate(at: place) }
        while let candidate = popCandidate() {
            let place = Int(candidate.place)
            let next = Int(right[place])
            guard symbols[place] >= 0, next >= 0, let merge = merges[symbols[place], symbols[next]],
                merge.rank == candidate.rank
            else { continue }
            symbols[place] = merge.token
            symbols[next] = -1
            right[place] = right[next]
            if right[place] >= 0 { left[Int(right[place])] = candidate.place }
            addCandidate(at: left[place])
            addCandidate(at: candidate.place)
        }
    }

    /// Adds the pair that starts at `place`, if there is one and it merges.
    private mutating func addCandidate(at place: Int32) {
        guard place >= 0, right[Int(place)] >= 0,
            let merge = merges[symbols[Int(place)], symbols[Int(right[Int(place)])]]
        else { return }
        heap.append(Candidate(rank: merge.rank, place: place))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child] < heap[parent] else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func popCandidate() -> Candidate? {
        guard let last = heap.popLast() else { return nil }
        guard let first = heap.first else { return last }
        heap[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { return first }
            if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
            guard heap[child] < heap[parent] else { return first }
            heap.swapAt(child, parent)
            parent = child
        }
    }
}
