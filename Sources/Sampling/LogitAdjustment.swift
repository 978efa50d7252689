import Core

/// What one request does to the model's logits before a token is drawn from them, and what its rules have to know of the
/// tokens so far.
///
/// The rules, in order: repetition penalty (which looks at the sign of the model's own logit), presence and frequency
/// penalties, bias, minimum length. Each looks at one token at a time, so that the order in which a set gives its tokens
/// changes no bit. Time is that of the tokens concerned, not of the vocabulary.
public struct LogitAdjustment: Sendable {
    private let parameters: SamplingParameters
    private let minTokens: Int
    private let endTokens: Set<TokenID>
    /// Whether any rule holds at every position.
    private let isLasting: Bool
    /// The tokens of prompt and answer; kept for the repetition penalty only.
    private var present: Set<TokenID> = []
    /// How often the answer has each of its tokens; kept for the other penalties only.
    private var counts: [TokenID: Int] = [:]
    private var generated = 0

    /// Nil for a request whose tokens are drawn from the logits as they are.
    public init?(_ request: GenerationRequest) {
        parameters = request.sampling
        endTokens = request.endTokens
        minTokens = endTokens.isEmpty ? 0 : request.minTokens
        isLasting = parameters.penalisesRepetition || parameters.penalisesCounts || !parameters.bias.isEmpty
        guard isLasting || minTokens > 0 else { return nil }
        if parameters.penalisesRepetition { present = Set(request.prompt) }
    }

    /// Whether the logits of the next token are to be changed.
    var isDue: Bool { isLasting || generated < minTokens }

    /// Changes the logits of the next token, one per token of the vocabulary.
    func apply(to logits: UnsafeMutableBufferPointer<Float>) {
        if parameters.penalisesRepetition {
            penaliseRepetition(of: present, in: logits, penalty: parameters.repetitionPenalty)
        }
        if parameters.penalisesCounts {
            penalise(
                counts,
                in: logits,
                presence: parameters.presencePenalty,
                frequency: parameters.frequencyPenalty
            )
        }
        add(parameters.bias, to: logits)
        if generated < minTokens { forbid(endTokens, in: logits) }
    }

    /// Takes note of a token that the answer got.
    public mutating func append(_ token: TokenID) {
        generated += 1
        if parameters.penalisesRepetition { present.insert(token) }
        if parameters.penalisesCounts { counts[token, default: 0] += 1 }
    }
}

extension SamplingParameters {
    fileprivate var penalisesRepetition: Bool { repetitionPenalty != 1 }
    fileprivate var penalisesCounts: Bool { presencePenalty != 0 || frequencyPenalty != 0 }
}
