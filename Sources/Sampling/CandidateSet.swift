/// The tokens that may be drawn at one position, with their weights: probabilities relative to the likeliest token,
/// which weighs 1. Rules (`CandidateSet+Rules.swift`) make the set smaller; `draw` ends it.
///
/// At first the set is a vector of weights, one per token of the vocabulary, and what has to see all of it goes 16 tokens at a
/// time. What asks for the likeliest tokens gathers them in bands of falling weight. Top-k orders a band by a heap, of which it
/// takes no more than it needs; what asks for a share of the mass narrows a band down to the token it falls on
/// (`CandidateSet+Selection.swift`). The vocabulary is never sorted, but by typical-p without other rules. Ties go to the lower id, so that the order is total and a
/// result depends on nothing else.
struct CandidateSet {
    struct Candidate {
        var id: Int32
        var weight: Float

        func precedes(_ other: Candidate) -> Bool {
            weight > other.weight || (weight == other.weight && id < other.id)
        }
    }

    private enum Form {
        /// The set is all of `weights`; a draw goes through it by id, or in descending order.
        case byID, byRank
        /// The set is `candidates`, in descending order.
        case ordered
    }

    private var form = Form.byID
    private(set) var candidates: [Candidate] = []
    /// Scratch: the candidates of a band.
    var gathered: [Candidate] = []
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
        form = .byID
        mapWeights { start, _ in
            guard start < logits.count else { return Lanes(repeating: 0) }
            let lanes = logits.lanes(from: start)
            // Infinity minus infinity is not a number.
            return exponential((lanes - highest) / temperature).replacing(with: 1, where: lanes .== highest)
        }
    }

    /// Whether `candidates` is the set.
    var isOrdered: Bool { form == .ordered }

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
        form = .ordered
        candidates.removeAll(keepingCapacity: true)
        for band in Self.bands {
            if !appendOrdered(gather(band), while: goesOn) { break }
        }
    }

    /// Keeps the likeliest candidates up to the first for which `reaches` holds: it gets the mass of all up to that one.
    mutating func keepLikeliest(until reaches: (_ mass: Double) -> Bool) {
        guard !isOrdered else {
            var mass = 0.0
            return keepLikeliest(while: {
                mass += Double($0.weight)
                return !reaches(mass)
            })
        }
        form = .byRank
        guard let last = first(where: reaches) else { return }
        for index in Int(last.id) + 1..<weights.count where weights[index] == last.weight { weights[index] = 0 }
        keep(atLeast: last.weight)
    }

    /// All candidates, by rising id or in descending order.
    var all: [Candidate] {
        mutating get {
            if isOrdered { return candidates }
            let count = gather(.leastNonzeroMagnitude..<(.infinity))
            return Array(gathered[..<count])
        }
    }

    /// Keeps these candidates of the set, which are given in descending order.
    mutating func keepOnly(_ kept: [Candidate]) {
        candidates = kept
        form = .ordered
    }

    /// Inverse transform sampling: the candidate under `point`, a number in [0, 1).
    ///
    /// - Precondition: the set is not empty.
    mutating func draw(at point: Double) -> Int32 {
        let target = point * mass
        // The likeliest, where rounding keeps the sum from reaching what it should.
        if form == .byRank { return first { $0 > target }?.id ?? Int32(weights.firstIndex(of: 1)!) }
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

    /// Weights from 1/4 up, from 1/16 up, from 1/256 up, ...: most questions are answered by the first bands, and these are all.
    static let bands: [Range<Float>] = {
        let edges: [Float] = [
            .infinity, 0x1p-2, 0x1p-4, 0x1p-6, 0x1p-8, 0x1p-10, 0x1p-12, 0x1p-14, 0x1p-16, 0x1p-20, 0x1p-32, 0x1p-64,
            .leastNonzeroMagnitude,
        ]
        return zip(edges, edges.dropFirst()).map { $1..<$0 }
    }()

    /// The sum of the weights in the band.
    func mass(of band: Range<Float>) -> Double {
        weights.withUnsafeBufferPointer { weights in
            var mass = 0.0
            for block in stride(from: 0, to: weights.count, by: Self.block) {
                var sum = Lanes(repeating: 0)
                for start in stride(from: block, to: block + Self.block, by: 16) {
                    let lanes = weights.lanes(from: start)
                    let isInside = (lanes .>= band.lowerBound) .& (lanes .< band.upperBound)
                    sum += Lanes(repeating: 0).replacing(with: lanes, where: isInside)
                }
                mass += Double(sum.sum())
            }
            return mass
        }
    }

    /// Puts the tokens whose weight is in the band at the front of `gathered`, by rising id, and tells how many they are.
    mutating func gather(_ band: Range<Float>) -> Int {
        let none = Candidate(id: 0, weight: 0)
        if gathered.count != weights.count { gathered = Array(repeating: none, count: weights.count) }
        return weights.withUnsafeBufferPointer { weights in
            gathered.withUnsafeMutableBufferPointer { gathered in
                var count = 0
                for first in stride(from: 0, to: weights.count, by: 16) {
                    let lanes = weights.lanes(from: first)
                    guard any((lanes .>= band.lowerBound) .& (lanes .< band.upperBound)) else { continue }
                    for index in first..<first + 16 {
                        // Written, then kept or not: which it will be cannot be foreseen.
                        let weight = weights[index]
                        gathered[count] = Candidate(id: Int32(index), weight: weight)
                        count += (weight >= band.lowerBound ? 1 : 0) & (weight < band.upperBound ? 1 : 0)
                    }
                }
                return count
            }
        }
    }

    // MARK: Order

    /// Appends the first `count` gathered candidates in descending order, up to the first for which `goesOn` does not hold.
    /// Returns whether it held for all.
    private mutating func appendOrdered(_ count: Int, while goesOn: (Candidate) -> Bool) -> Bool {
        gathered.withUnsafeMutableBufferPointer { gathered in
            let heap = UnsafeMutableBufferPointer(rebasing: gathered[..<count])
            for parent in stride(from: count / 2 - 1, through: 0, by: -1) {
                Self.sink(parent, in: heap, size: count)
            }
            for size in stride(from: count, to: 0, by: -1) {
                let likeliest = heap[0]
                candidates.append(likeliest)
                if !goesOn(likeliest) { return false }
                heap[0] = heap[size - 1]
                Self.sink(0, in: heap, size: size - 1)
            }
            return true
        }
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
