// The filters, one method each, but for `CandidateSet+Typical.swift`. None of them ever empties the set: the likeliest token
// always stays.

extension CandidateSet {
    /// Min-p: keeps tokens at least `minP` times as likely as the likeliest (Nguyen et al., arXiv 2407.01082).
    mutating func keep(minP: Float) {
        guard minP > 0 else { return }
        // The likeliest token weighs exactly 1, and minP is at most 1.
        keep(atLeast: minP)
    }

    /// Top-k: keeps the `topK` likeliest tokens (Fan et al., arXiv 1805.04833). 0 keeps all.
    mutating func keep(topK: Int) {
        guard topK > 0, topK < count else { return }
        var kept = 0
        keepLikeliest(while: { _ in
            kept += 1
            return kept < topK
        })
    }

    /// Top-p, or nucleus sampling: keeps the smallest set of likeliest tokens that holds at least `topP` of the mass
    /// (Holtzman et al., arXiv 1904.09751).
    mutating func keep(topP: Float) {
        guard topP < 1 else { return }
        let target = Double(topP) * mass
        keepLikeliest(until: { $0 >= target })
    }
}
