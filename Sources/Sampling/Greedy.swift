/// The token with the highest logit, the lowest id among equals. Not-a-numbers are never chosen.
///
/// - Precondition: `logits` is not empty.
public func greedyToken(_ logits: UnsafeBufferPointer<Float>) -> Int32 {
    var best = Lanes(repeating: -.infinity)
    for start in stride(from: 0, to: logits.count, by: 16) {
        let lanes = logits.lanes(from: start)
        best.replace(with: lanes, where: lanes .> best)
    }
    let highest = best.max()
    guard highest > -.infinity else { return 0 }
    var start = 0
    while !any(logits.lanes(from: start) .== highest) { start += 16 }
    while logits[start] != highest { start += 1 }
    return Int32(start)
}
