import Core

/// OpenAI's penalties on what an answer has already: `logit - count * frequency - presence` for each of its tokens. Negative
/// ones make it more likely.
func penalise(
    _ counts: [TokenID: Int],
    in logits: UnsafeMutableBufferPointer<Float>,
    presence: Float,
    frequency: Float
) {
    for (token, count) in counts { logits[Int(token)] -= Float(count) * frequency + presence }
}
