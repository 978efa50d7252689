/// The token with the highest logit, the lowest id among equals. Not-a-numbers are never chosen.
///
/// - Precondition: `logits` is not empty.
public func greedyToken(_ logits: UnsafeBufferPointer<Float>) -> Int32 {
    var best = 0
    var bestLogit = -Float.infinity
    for index in logits.indices where logits[index] > bestLogit {
        best = index
        bestLogit = logits[index]
    }
    return Int32(best)
}
