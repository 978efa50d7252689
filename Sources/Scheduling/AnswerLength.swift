/// How long answers become, learned from those that ended: a survival curve over the number of tokens.
///
/// Answers that were cut off (`max_tokens`, a deadline, a client that left) only say that they were at least that long
/// (Kaplan and Meier, 1958). Old answers count less and less, so the curve follows the traffic.
struct AnswerLength: Sendable, Hashable {
    /// Bucket `b` holds the lengths `edges[b] ..< edges[b + 1]`: about four to an octave.
    private static let edges: [Int] = {
        var edges = [0, 1, 2, 3, 4, 5, 6, 7]
        while edges[edges.count - 1] < 1 << 20 { edges.append(edges[edges.count - 4] * 2) }
        return edges
    }()

    /// What an answer that ended 200 answers ago still counts: 1/e.
    private static let memory = 1 - 1.0 / 200
    /// How many answers must have reached a length before the ends there are believed. Before that, answers are taken to
    /// end there as often as they do on average: without a memory of how long they are.
    private static let prior = 8.0

    private var reached = [Double](repeating: 0, count: AnswerLength.edges.count - 1)
    private var ended = [Double](repeating: 0, count: AnswerLength.edges.count - 1)
    /// Of all answers: those that ended by themselves, and tokens.
    private var ends = 0.0
    private var tokens = 0.0
    /// The share of the answers which reach a bucket that reach the next one. Kept, because every step asks for every
    /// request, and only an end changes it.
    private var survival = [Double](repeating: 1, count: AnswerLength.edges.count - 1)

    /// - Parameter isComplete: whether the answer ended by itself.
    mutating func observe(_ length: Int, isComplete: Bool) {
        for bucket in reached.indices {
            reached[bucket] *= Self.memory
            ended[bucket] *= Self.memory
        }
        ends = ends * Self.memory + (isComplete ? 1 : 0)
        tokens = tokens * Self.memory + Double(length)
        let last = Self.bucket(of: length)
        for bucket in 0...last { reached[bucket] += 1 }
        if isComplete { ended[last] += 1 }
        for bucket in survival.indices { survival[bucket] = survivalNow(in: bucket) }
    }

    /// The mean number of tokens still to come after `generated`, at least 1 and at most what `limit` leaves.
    func expectedRemaining(generated: Int, limit: Int) -> Double {
        let most = limit - generated
        guard most > 1 else { return 1 }
        var alive = 1.0, expected = 0.0
        var bucket = Self.bucket(of: generated)
        var from = generated
        while from < limit && bucket < reached.count && alive > 0.01 {
            let to = min(limit, Self.edges[bucket + 1])
            let survival = survival[bucket]
            // An answer that ends in a bucket ends in its middle.
            expected += alive * (1 + survival) / 2 * Double(to - from)
            alive *= survival
            from = to
            bucket += 1
        }
        return min(max(1, expected), Double(most))
    }

    private func survivalNow(in bucket: Int) -> Double {
        let width = Double(Self.edges[bucket + 1] - Self.edges[bucket])
        let rate = ends / max(tokens, 1) * ends / (ends + Self.prior)
        let typical = Self.prior * rate * width / (1 + rate * width)
        return 1 - (ended[bucket] + typical) / (reached[bucket] + Self.prior)
    }

    private static func bucket(of length: Int) -> Int {
        var low = 0, high = edges.count - 1
        while high - low > 1 {
            let middle = (low + high) / 2
            if edges[middle] <= length { low = middle } else { high = middle }
        }
        return low
    }
}
