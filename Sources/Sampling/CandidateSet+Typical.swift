import Glibc

extension CandidateSet {
    private struct Typicality {
        var candidate: Candidate
        /// How far the token's information is from what is expected, in nats.
        var distance: Double

        func precedes(_ other: Typicality) -> Bool {
            distance < other.distance || (distance == other.distance && candidate.id < other.candidate.id)
        }
    }

    /// Typical-p, or locally typical sampling: keeps the tokens whose information, `-log p`, is nearest to its expectation,
    /// the entropy, as few as hold at least `typicalP` of the mass (Meister et al., arXiv 2202.00666). The one rule that may
    /// drop the likeliest token; at least one always stays.
    ///
    /// Sorts the tokens that the rules before it left: O(n log n).
    mutating func keep(typicalP: Float) {
        guard typicalP < 1, !isEmpty else { return }
        let all = all
        // With weights w of sum M, p = w / M. So -log p less the entropy is the mean of log w, over the distribution, less
        // log w: the M falls out.
        let logs = all.map { log(Double($0.weight)) }
        let mass = all.reduce(0) { $0 + Double($1.weight) }
        let mean = zip(all, logs).reduce(0) { $0 + Double($1.0.weight) * $1.1 } / mass
        let ranked = zip(all, logs).map { Typicality(candidate: $0, distance: abs(mean - $1)) }
            .sorted { $0.precedes($1) }
        var kept: [Candidate] = []
        var sum = 0.0
        for one in ranked {
            kept.append(one.candidate)
            sum += Double(one.candidate.weight)
            if sum >= Double(typicalP) * mass { break }
        }
        keepOnly(kept.sorted { $0.precedes($1) })
    }
}
