/// The tokens that may be drawn at one position, with their weights: probabilities relative to the likeliest token,
/// which weighs 1. Rules (`CandidateSet+Rules.swift`) make the set smaller; `draw` ends it.
///
/// At first the set is a vector of weights, one per token of the vocabulary, and what has to see all of it goes 16 tokens at a
/// time. A rule that wants the likeliest tokens gathers them in bands of falling weight, and orders a band by a heap, of
/// which it takes no more than it needs: the vocabulary is never sorted. Ties go to the lower id, so that the order is
/// total and a result depends on nothing else.
struct CandidateSet {
    struct Candidate {
        var id: Int32
        var weight: Float

        func precedes(_ other: Candidate) -> Bool {
            weight > other.weight || (weight == other.weight && id < other.id)
        }
    }

    /// The set in descending order, once a rule has asked for the likeliest; before that it is all of `weights`.
    private(set) var candidates: [Candidate] = []
    private var isOrdered = false
    /// Of every token, 0 where it is not in the set; then zeros up to a multiple of `block`. Reused from position to position.
    private var weights: [Float] = []
    /// Sums of `block` weights each, which let a draw skip them.
    private var blockMasses: [Double] = []
    private static let block = 256

    /// All tokens that have any weight: `exp((logit - highest) / temperature)` in Float. Not-a-numbers have none.
    mutating func fill(from logits: UnsafeBufferPointer<Float>, temperature: Float) {
        let highest = logits[Int(greedyToken(logits))]
        let size = (logits.count + Self.block - 1) / Self.block * Self.block
        if weights.count != size { weights = Array(repeating: 0, count: size) }
        isOrdered = false
        mapWeights { start, _ in
            guard start < logits.count else { return Lanes(repeating: 0) }
            let lanes = logits.lanes(from: start)
            // Infinity minus infinity is not a number.
            return exponential((lanes - highest) / temperature).replacing(with: 1, where: lanes .== highest)
        }
    }

    /// Whether no token has any weight.
    var isEmpty: Bool { isOrdered ? candidates.isEmpty : mass == 0 }

    /// How many tokens have any weight.
    var count: Int {
        if isOrdered { return candidates.count }
        return weights.reduce(0) { $0 + ($1 > 0 ? 1 : 0) }
    }

    /// The sum of all weights.
    var mass: Double {
        isOrdered ? candidates.reduce(0) { $0 + Double($1.weight) } : blockMasses.reduce(0, +)
    }

    /// Drops the candidates that weigh less.
    mutating func keep(atLeast least: Float) {
        if isOrdered {
            candidates.removeAll { $0.weight < least }
        } else {
            mapWeights { _, lanes in lanes.replacing(with: 0, where: lanes .< least) }
        }
    }

    /// Keeps the likeliest candidates, in descending order, for as long as `goesOn` holds after each of them.
    mutating func keepLikeliest(while goesOn: (Candidate) -> Bool) {
        if isOrdered {
            let end = candidates.firstIndex { !goesOn($0) }
            if let end { candidates.removeSubrange((end + 1)...) }
            return
        }
        isOrdered = true
        candidates.removeAll(keepingCapacity: true)
        // Weights from 1/4 up, from 1/16 up, from 1/256 up, ... : most answers end in the first bands, and seven are all.
        var upper = Float.infinity
        var lower: Float = 0.25
        while upper > 0 {
            let start = candidates.count
            gather(from: max(lower, .leastNonzeroMagnitude), below: upper)
            if !order(from: start, while: goesOn) { break }
            upper = lower
            lower *= lower
        }
    }

    /// Inverse transform sampling: the candidate under `point`, a number in [0, 1).
    ///
    /// - Precondition: the set is not empty.
    func draw(at point: Double) -> Int32 {
        let target = point * mass
        var sum = 0.0
        if isOrdered {
            for candidate in candidates {
                sum += Double(candidate.weight)
                if sum > target { return candidate.id }
            }
            return candidates[candidates.count - 1].id
        }
        var last = 0
        for (block, blockMass) in blockMasses.enumerated() {
            guard sum + blockMass > target else {
                sum += blockMass
                continue
            }
            for index in block * Self.block..<(block + 1) * Self.block where weights[index] > 0 {
                sum += Double(weights[index])
                if sum > target { return Int32(index) }
                last = index
            }
        }
        return Int32(last)
    }

    // MARK: All weights

    /// Replaces all weights, and sums them up.
    @inline(__always)
    private mutating func mapWeights(_ transform: (_ start: Int, Lanes) -> Lanes) {
        blockMasses.removeAll(keepingCapacity: true)
        weights.withUnsafeMutableBytes { weights in
            for block in stride(from: 0, to: weights.count, by: Self.block * 4) {
                var sum = Lanes(repeating: 0)
                for offset in stride(from: block, to: block + Self.block * 4, by: 64) {
                    let lanes = transform(offset / 4, weights.loadUnaligned(fromByteOffset: offset, as: Lanes.self))
                    weights.storeBytes(of: lanes, toByteOffset: offset, as: Lanes.self)
                    sum += lanes
                }
                blockMasses.append(Double(sum.sum()))
            }
        }
    }

    /// Appends the tokens whose weight is in the band, by rising id.
    private mutating func gather(from lower: Float, below upper: Float) {
        weights.withUnsafeBufferPointer { weights in
            for start in stride(from: 0, to: weights.count, by: 16) {
                let lanes = weights.lanes(from: start)
                guard any((lanes .>= lower) .& (lanes .< upper)) else { continue }
                for index in start..<start + 16 where weights[index] >= lower && weights[index] < upper {
                    candidates.append(Candidate(id: Int32(index), weight: weights[index]))
                }
            }
        }
    }

    // MARK: Order

    /// Puts the candidates from `start` on in descending order, and drops those after the first for which `goesOn` does not
    /// hold. Returns whether it held for all.
    private mutating func order(from start: Int, while goesOn: (Candidate) -> Bool) -> Bool {
        var heapSize = candidates.count - start
        var isGoingOn = true
        candidates.withUnsafeMutableBufferPointer { candidates in
            let heap = UnsafeMutableBufferPointer(rebasing: candidates[start...])
            for parent in stride(from: heapSize / 2 - 1, through: 0, by: -1) {
                Self.sink(parent, in: heap, size: heapSize)
            }
            // Heap sort, stopped early: the sorted part grows from the end of the array downwards.
            while heapSize > 0 && isGoingOn {
                heapSize -= 1
                heap.swapAt(0, heapSize)
                Self.sink(0, in: heap, size: heapSize)
                isGoingOn = goesOn(heap[heapSize])
            }
        }
        candidates.removeSubrange(start..<start + heapSize)
        candidates[start...].reverse()
        return isGoingOn
    }

    private static func sink(_ start: Int, in heap: UnsafeMutableBufferPointer<Candidate>, size: Int) {
        guard start < size else { return }
        let moving = heap[start]
        var parent = start
        while true {
            var child = 2 * parent + 1
            guard child < size else { break }
            if child + 1 < size, heap[child + 1].precedes(heap[child]) { child += 1 }
            guard heap[child].precedes(moving) else { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = moving
    }
}
