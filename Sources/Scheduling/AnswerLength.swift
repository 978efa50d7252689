/// How long answers become, learned from those that ended: a survival curve over the number of tokens.
///
/// Answers that were cut off (`max_tokens`, a deadline, a client that left) only say that they were at least that long
/// (Kaplan and Meier, 1958). Old answers count less and less, so the curve follows the traffic.
struct AnswerLength: Sendable, Hashable {
    /// Bucket `b` holds the lengths `edge(b) ..< edge(b + 1)`: four to an octave, from 4 on.
    private static func edge(_ bucket: Int) -> Int {
        bucket < 4 ? bucket : (4 + bucket & 3) << (bucket / 4 - 1)
    }

    /// The number of buckets. Answers of a million tokens and more are not told apart.
    private static let beyond = 76

    /// What an answer that ended 200 answers ago still counts: 1/e.
    private static let memory = 1 - 1.0 / 200
    /// How many answers must have reached a length before the ends there are believed. Before that, answers are taken to
    /// end there as often as they do on average: without a memory of how long they are.
    private static let prior = 8.0

    private var reached = [Double](repeating: 0, count: AnswerLength.beyond)
    private var ended = [Double](repeating: 0, count: AnswerLength.beyond)
    /// Of all answers: those that ended by themselves, and tokens.
    private var ends = 0.0
    private var tokens = 0.0
    /// Kept, because every step asks for every request, and only an end changes it.
    private var table = AnswerLength.table { _ in 1 }

    /// What is known of the answers which reach a bucket.
    private struct Outlook: Sendable, Hashable {
        /// The share of them that reach the next one.
        var survival = 1.0
        /// The share of all answers that they are.
        var reaching = 1.0
        /// The mean number of tokens that they still come to have in this bucket and those behind it.
        var tokens = 0.0
    }

    /// - Parameter isComplete: whether the answer ended by itself.
    mutating func observe(_ length: Int, isComplete: Bool) {
        for bucket in reached.indices {
            reached[bucket] *= Self.memory
            ended[bucket] *= Self.memory
        }
        ends = ends * Self.memory + (isComplete ? 1 : 0)
        tokens = tokens * Self.memory + Double(length)
        let last = min(Self.bucket(of: length), Self.beyond - 1)
        for bucket in 0...last { reached[bucket] += 1 }
        if isComplete { ended[last] += 1 }
        if ends > 0 { table = Self.table(survival) }
    }

    /// The mean number of tokens still to come after `generated`, at least 1 and at most what `limit` leaves.
    func expectedRemaining(generated: Int, limit: Int) -> Double {
        let most = limit - generated
        guard most > 1 else { return 1 }
        // Nothing is known of ends.
        guard ends > 0 else { return Double(most) }
        let bucket = Self.bucket(of: generated)
        guard bucket < Self.beyond else { return Double(most) }
        // To the end of its bucket, and from there on: to the end of all, less what lies beyond the limit.
        let end = min(limit, Self.edge(bucket + 1))
        var expected = Self.tokens(end - generated, survival: table[bucket].survival)
        if end < limit {
            expected += table[bucket].survival * (table[bucket + 1].tokens - tokens(beyond: limit, for: bucket + 1))
        }
        return min(max(1, expected), Double(most))
    }

    /// The mean number of tokens at `limit` and beyond it, of the answers which reach a bucket before it.
    private func tokens(beyond limit: Int, for bucket: Int) -> Double {
        let last = Self.bucket(of: limit)
        guard last < Self.beyond else { return 0 }
        let before = Self.tokens(limit - Self.edge(last), survival: table[last].survival)
        return table[last].reaching / table[bucket].reaching * (table[last].tokens - before)
    }

    /// The mean number of tokens that answers have of the next `count` ones of a bucket: one that ends there ends in the
    /// middle.
    private static func tokens(_ count: Int, survival: Double) -> Double {
        (1 + survival) / 2 * Double(count)
    }

    private static func table(_ survival: (Int) -> Double) -> [Outlook] {
        var table = [Outlook](repeating: Outlook(), count: beyond + 1)
        for bucket in 0..<beyond {
            table[bucket].survival = survival(bucket)
            table[bucket + 1].reaching = table[bucket].reaching * table[bucket].survival
        }
        for bucket in (0..<beyond).reversed() {
            let outlook = table[bucket]
            table[bucket].tokens =
                tokens(edge(bucket + 1) - edge(bucket), survival: outlook.survival)
                + outlook.survival * table[bucket + 1].tokens
        }
        return table
    }

    private func survival(_ bucket: Int) -> Double {
        let width = Double(Self.edge(bucket + 1) - Self.edge(bucket))
        let rate = ends / max(tokens, 1) * ends / (ends + Self.prior)
        let typical = Self.prior * rate * width / (1 + rate * width)
        // Nothing is so sure that a product over all buckets could vanish.
        return max(1e-3, 1 - (ended[bucket] + typical) / (reached[bucket] + Self.prior))
    }

    /// The bucket that holds a length.
    private static func bucket(of length: Int) -> Int {
        guard length >= 8 else { return max(0, length) }
        let octave = Int.bitWidth - 1 - length.leadingZeroBitCount
        return min(4 * (octave - 1) + (length >> (octave - 2)) & 3, beyond)
    }
}
