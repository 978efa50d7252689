import Core

/// Forbids tokens: what `min_tokens` does to end tokens until an answer is long enough.
func forbid(_ tokens: Set<TokenID>, in logits: UnsafeMutableBufferPointer<Float>) {
    for token in tokens { logits[Int(token)] = -.infinity }
}
