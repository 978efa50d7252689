import Core

/// Draws a token from the logits of one position.
///
/// The rules, in order: temperature, min-p, top-k, top-p, each over what the one before it left (vLLM's order); then
/// one draw from the rest. A sampler owns scratch memory and serves many requests in turn: it holds nothing of any.
public struct Sampler {
    private var set = CandidateSet()

    public init() {}

    /// - Parameters:
    ///   - logits: one per token of the vocabulary, at least one.
    ///   - index: how many tokens the request generated before this one; picks the random number.
    public mutating func sample(
        _ logits: UnsafeBufferPointer<Float>,
        with parameters: SamplingParameters,
        index: Int
    ) -> TokenID {
        if parameters.temperature == 0 { return greedyToken(logits) }
        set.fill(from: logits, temperature: parameters.temperature)
        set.keep(minP: parameters.minP)
        set.keep(topK: parameters.topK)
        set.keep(topP: parameters.topP)
        // Only not-a-numbers: there is no distribution, so the greedy rule decides.
        if set.isEmpty { return greedyToken(logits) }
        return set.draw(at: uniformRandom(seed: parameters.seed, index: index))
    }
}
