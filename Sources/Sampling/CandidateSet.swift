import Glibc

/// The tokens that may be drawn at one position, with their weights: probabilities relative to the likeliest token,
/// which weighs 1. Rules (`CandidateSet+Rules.swift`) make the set smaller; `draw` ends it.
///
/// The set keeps itself in order only as far as a rule needs it: a max-heap gives the few likeliest tokens in
/// O(V + k log V), so the vocabulary is never sorted. Ties go to the lower id, so that the order is total and a result
/// never depends on the layout of the heap.
struct CandidateSet {
    struct Candidate {
        var id: Int32
        var weight: Float

        func precedes(_ other: Candidate) -> Bool {
            weight > other.weight || (weight == other.weight && id < other.id)
        }
    }

    /// Reused from position to position; grows once to the vocabulary's size.
    private(set) var candidates: [Candidate] = []
    /// Whether `candidates` stands in descending order.
    private var isSorted = false

    /// All tokens that have any weight: `exp((logit - highest) / temperature)` in Float. Not-a-numbers have none.
    mutating func fill(from logits: UnsafeBufferPointer<Float>, temperature: Float) {
        let highest = logits[Int(greedyToken(logits))]
        candidates.removeAll(keepingCapacity: true)
        candidates.reserveCapacity(logits.count)
        isSorted = false
        for index in logits.indices {
            let logit = logits[index]
            // Equal first: infinity minus infinity is not a number.
            let weight = logit == highest ? 1 : exp((logit - highest) / temperature)
            if weight > 0 { candidates.append(Candidate(id: Int32(index), weight: weight)) }
        }
    }

    /// The sum of all weights, in the candidates' order.
    var mass: Double {
        candidates.reduce(0) { $0 + Double($1.weight) }
    }

    /// Drops the candidates that do not satisfy the condition. Order is kept.
    mutating func removeAll(where condition: (Candidate) -> Bool) {
        candidates.removeAll(where: condition)
    }

    /// Keeps the likeliest candidates, in descending order, for as long as `goesOn` holds after each of them.
    mutating func keepLikeliest(while goesOn: (Candidate) -> Bool) {
        if isSorted {
            let end = candidates.firstIndex { !goesOn($0) }
            if let end { candidates.removeSubrange((end + 1)...) }
            return
        }
        var heapSize = candidates.count
        for parent in stride(from: heapSize / 2 - 1, through: 0, by: -1) {
            sink(parent, heapSize: heapSize)
        }
        // Heap sort, stopped early: the sorted part grows from the end of the array downwards.
        while heapSize > 0 {
            heapSize -= 1
            candidates.swapAt(0, heapSize)
            sink(0, heapSize: heapSize)
            if !goesOn(candidates[heapSize]) { break }
        }
        candidates.removeSubrange(..<heapSize)
        candidates.reverse()
        isSorted = true
    }

    /// Inverse transform sampling: the candidate under `point`, a number in [0, 1).
    ///
    /// - Precondition: the set is not empty.
    func draw(at point: Double) -> Int32 {
        let target = point * mass
        var sum = 0.0
        for candidate in candidates {
            sum += Double(candidate.weight)
            if sum > target { return candidate.id }
        }
        return candidates[candidates.count - 1].id
    }

    private mutating func sink(_ start: Int, heapSize: Int) {
        guard start < heapSize else { return }
        candidates.withUnsafeMutableBufferPointer { heap in
            let moving = heap[start]
            var parent = start
            while true {
                var child = 2 * parent + 1
                guard child < heapSize else { break }
                if child + 1 < heapSize, heap[child + 1].precedes(heap[child]) { child += 1 }
                guard heap[child].precedes(moving) else { break }
                heap[parent] = heap[child]
                parent = child
            }
            heap[parent] = moving
        }
    }
}
