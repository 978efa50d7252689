import Core

/// Draws a token from the logits of one position.
///
/// The rules, in order: temperature, min-p, top-k, top-p, typical-p, each over what the one before it left; then one draw
/// from the rest. A request with rules about the logits themselves has a `LogitAdjustment`, which comes first. A sampler
/// owns scratch memory and serves many requests in turn: it holds nothing of any.
public struct Sampler {
    private var set = CandidateSet()
    /// Scratch: logits that a request has adjusted.
    private var adjusted: [Float] = []

    public init() {}

    /// - Parameters:
    ///   - logits: one per token of the vocabulary, at least one. They stay as they are.
    ///   - adjustment: of the request, after all tokens that it generated; nil for one that has none.
    ///   - index: how many tokens the request generated before this one; picks the random number.
    public mutating func sample(
        _ logits: UnsafeBufferPointer<Float>,
        with parameters: SamplingParameters,
        adjustment: LogitAdjustment? = nil,
        index: Int
    ) -> TokenID {
        guard let adjustment, adjustment.isDue else { return draw(logits, parameters, index: index) }
        // Taken out, so that its memory can be used while the rest of the sampler changes.
        var copy = adjusted
        adjusted = []
        copy.removeAll(keepingCapacity: true)
        copy.append(contentsOf: logits)
        copy.withUnsafeMutableBufferPointer { adjustment.apply(to: $0) }
        let token = copy.withUnsafeBufferPointer { draw($0, parameters, index: index) }
        adjusted = copy
        return token
    }

    private mutating func draw(
        _ logits: UnsafeBufferPointer<Float>,
        _ parameters: SamplingParameters,
        index: Int
    ) -> TokenID {
        if parameters.temperature == 0 { return greedyToken(logits) }
        set.fill(from: logits, temperature: parameters.temperature)
        set.keep(minP: parameters.minP)
        set.keep(topK: parameters.topK)
        set.keep(topP: parameters.topP)
        set.keep(typicalP: parameters.typicalP)
        // Only not-a-numbers: there is no distribution, so the greedy rule decides.
        if set.isEmpty { return greedyToken(logits) }
        return set.draw(at: uniformRandom(seed: parameters.seed, index: index))
    }
}
