import Core

/// OpenAI's `logit_bias`: adds to the logits of some tokens. -100 all but forbids one, 100 all but demands it.
func add(_ bias: [TokenID: Float], to logits: UnsafeMutableBufferPointer<Float>) {
    for (token, value) in bias { logits[Int(token)] += value }
}
