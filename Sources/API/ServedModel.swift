import Core

/// The model behind the API, as requests are checked against it and as `GET /v1/models` describes it.
public struct ServedModel: Sendable, Hashable {
    /// How good and how big the model is at one chain count.
    public struct Quality: Sendable, Hashable {
        public var chains: Int
        /// Cross-entropy on validation text, in nats per token.
        public var loss: Double
        /// `exp(loss)`.
        public var perplexity: Double
        /// Weights in use at this chain count.
        public var parameters: Int

        public init(chains: Int, loss: Double, perplexity: Double, parameters: Int) {
            self.chains = chains
            self.loss = loss
            self.perplexity = perplexity
            self.parameters = parameters
        }
    }

    /// What clients call it; `name:k` is the same at `k` chains.
    public var name: String
    /// Chains that are loaded: requests may use 1 to this many.
    public var chains: Int
    /// The most tokens of prompt and answer together.
    public var contextLength: Int
    /// Token ids are `0..<vocabularySize`.
    public var vocabularySize: Int
    /// Tokens that end an answer unless the request says `ignore_eos`.
    public var endTokens: Set<TokenID>
    /// The prompt that stands for an empty one (the beginning or end-of-text token): a model needs a token to start
    /// from. Nil: empty prompts are refused.
    public var emptyPromptToken: TokenID?
    /// The token that begins a text; nil for a model without one.
    public var beginningToken: TokenID?
    /// How conversations are written down for it.
    public var chatTemplate: ChatTemplate
    /// When it was made or loaded, in seconds since 1970.
    public var created: Int
    /// A digest of the weights; its first characters make `system_fingerprint`.
    public var fingerprint: String
    /// A row for every chain count that was measured.
    public var quality: [Quality]

    public init(
        name: String,
        chains: Int,
        contextLength: Int,
        vocabularySize: Int,
        endTokens: Set<TokenID>,
        emptyPromptToken: TokenID?,
        beginningToken: TokenID? = nil,
        chatTemplate: ChatTemplate = .plain,
        created: Int,
        fingerprint: String,
        quality: [Quality] = []
    ) {
        self.name = name
        self.chains = chains
        self.contextLength = contextLength
        self.vocabularySize = vocabularySize
        self.endTokens = endTokens
        self.emptyPromptToken = emptyPromptToken
        self.beginningToken = beginningToken
        self.chatTemplate = chatTemplate
        self.created = created
        self.fingerprint = fingerprint
        self.quality = quality
    }

    /// The `system_fingerprint` of answers.
    var systemFingerprint: String {
        "b" + fingerprint.prefix(12)
    }

    /// The chain count that a model name asks for by its suffix: `name:3` is 3, `name` is nil.
    /// Returns nil as a whole when the name is not this model's. The count may be out of range.
    func suffix(of requested: String) -> (chains: Int?, isOurs: Bool) {
        if requested == name { return (nil, true) }
        guard requested.hasPrefix(name + ":") else { return (nil, false) }
        let digits = requested.dropFirst(name.count + 1)
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }), let chains = Int(digits) else {
            return (nil, false)
        }
        return (chains, true)
    }
}
