/// One answer to be generated: what crosses from the API to the engine. Everything in it is already validated
/// against the model: token ids exist, the prompt fits its context, the chain selection is possible.
public struct GenerationRequest: Sendable {
    public var id: RequestID
    /// The prompt's tokens, at least one.
    public var prompt: [TokenID]
    /// The most tokens to generate. 0 only evaluates the prompt.
    public var maxTokens: Int
    /// The fewest tokens to generate: until then no end token is drawn. At most `maxTokens`.
    public var minTokens: Int
    public var chains: ChainSelection
    public var sampling: SamplingParameters
    /// Tokens that end the answer: the model's end tokens unless the client ignores them.
    public var endTokens: Set<TokenID>
    /// How many alternatives to report beside every generated token's log probability; nil reports none at all.
    public var logprobs: Int?
    /// Report the log probabilities of the prompt's tokens too (completions' `echo` with `logprobs`).
    public var promptLogprobs: Bool
    /// The session whose KV this request continues and whose KV its answer becomes.
    public var sessionID: String?
    /// When the request came in; budgets count from here.
    public var arrival: ContinuousClock.Instant
    public var budget: LatencyBudget
    /// Requests of a higher priority get their place first.
    public var priority: Int
    /// Who asks: clients share the machine evenly, whatever each of them sends.
    public var client: String
    /// Requests share cached prefixes only with those of the same salt, so that none can probe another's prompts.
    public var cacheSalt: String?
    /// The request with the same prompt that this one shares the prompt's KV with: the first of `n` samples.
    public var leader: RequestID?

    public init(
        id: RequestID,
        prompt: [TokenID],
        maxTokens: Int,
        minTokens: Int = 0,
        chains: ChainSelection = .auto,
        sampling: SamplingParameters,
        endTokens: Set<TokenID> = [],
        logprobs: Int? = nil,
        promptLogprobs: Bool = false,
        sessionID: String? = nil,
        arrival: ContinuousClock.Instant = .now,
        budget: LatencyBudget = .none,
        priority: Int = 0,
        client: String = "",
        cacheSalt: String? = nil,
        leader: RequestID? = nil
    ) {
        self.id = id
        self.prompt = prompt
        self.maxTokens = maxTokens
        self.minTokens = minTokens
        self.chains = chains
        self.sampling = sampling
        self.endTokens = endTokens
        self.logprobs = logprobs
        self.promptLogprobs = promptLogprobs
        self.sessionID = sessionID
        self.arrival = arrival
        self.budget = budget
        self.priority = priority
        self.client = client
        self.cacheSalt = cacheSalt
        self.leader = leader
    }
}
