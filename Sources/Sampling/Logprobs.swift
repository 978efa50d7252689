import Core
import Glibc

/// The log probabilities of `chosen` and of the `count` likeliest tokens, from the model's own distribution
/// (temperature and filters do not count, as in OpenAI's API).
///
/// The normaliser is summed in one order, so an entry is the same number bit for bit wherever it is reported.
public func tokenLogprobs(_ logits: UnsafeBufferPointer<Float>, chosen: TokenID, count: Int) -> TokenLogprobs {
    let highest = logits[Int(greedyToken(logits))]
    let normaliser = log(exponentialMass(logits, above: highest))
    func entry(_ id: TokenID) -> TokenLogprobs.Entry {
        .init(id: id, logprob: Float(Double(logits[Int(id)] - highest) - normaliser))
    }
    return TokenLogprobs(chosen: entry(chosen), top: likeliest(logits, count: count).map(entry))
}

/// The sum of `e^(logit - highest)`: each term and sixteen sums of a few in Float, the sum of many in Double.
private func exponentialMass(_ logits: UnsafeBufferPointer<Float>, above highest: Float) -> Double {
    var mass = 0.0
    for block in stride(from: 0, to: logits.count, by: 256) {
        var sum = Lanes(repeating: 0)
        for start in stride(from: block, to: min(block + 256, logits.count), by: 16) {
            sum += exponential(logits.lanes(from: start) - highest)
        }
        mass += Double(sum.sum())
    }
    return mass
}

/// The ids of the `count` highest logits, best first, the lower id first among equals.
private func likeliest(_ logits: UnsafeBufferPointer<Float>, count: Int) -> [TokenID] {
    // At most 20 are ever asked for: insertion into a short sorted list beats a heap over the vocabulary.
    var best: [TokenID] = []
    best.reserveCapacity(count + 1)
    for index in logits.indices where !logits[index].isNaN {
        if best.count == count {
            guard let last = best.last, logits[index] > logits[Int(last)] else { continue }
            best.removeLast()
        }
        let place = best.firstIndex { logits[Int($0)] < logits[index] } ?? best.count
        best.insert(TokenID(index), at: place)
    }
    return best
}
