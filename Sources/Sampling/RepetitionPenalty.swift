import Core

/// The repetition penalty (Keskar et al., arXiv 1909.05858, with Hugging Face's care for the sign): the logits of tokens
/// that were there before are divided by `penalty` where they are positive and multiplied by it where they are negative, so
/// that more than 1 makes each of them less likely, once however often it was there.
func penaliseRepetition(
    of tokens: Set<TokenID>,
    in logits: UnsafeMutableBufferPointer<Float>,
    penalty: Float
) {
    for token in tokens {
        let logit = logits[Int(token)]
        logits[Int(token)] = logit < 0 ? logit * penalty : logit / penalty
    }
}
