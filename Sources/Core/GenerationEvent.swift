/// What the engine tells about one request, in this order: `admitted`, `promptLogprobs` when asked for,
/// any number of `token`, and exactly one of `finished` and `failed`, which is the last event.
public enum GenerationEvent: Sendable {
    case admitted(Admission)
    /// One entry per prompt token; the first is nil, for nothing precedes it.
    case promptLogprobs([TokenLogprobs?])
    case token(GeneratedToken)
    case finished(FinishReason)
    case failed(GenerationFailure)
}

/// A request has its place in the running batch and its KV blocks.
public struct Admission: Sendable, Hashable {
    /// Prompt tokens whose KV was already there, so that nothing was computed for them.
    public var cachedTokens: Int
    /// The chain count of the first token.
    public var chains: Int
    /// Why that count: what `X-Chains-Reason` says.
    public var reason: ChainReason
    /// From the request's arrival to its place.
    public var queueTime: Duration

    public init(cachedTokens: Int, chains: Int, reason: ChainReason, queueTime: Duration = .zero) {
        self.cachedTokens = cachedTokens
        self.chains = chains
        self.reason = reason
        self.queueTime = queueTime
    }
}

/// Why a request runs with its chain count.
public enum ChainReason: String, Sendable, Hashable {
    /// The client fixed the count.
    case requested
    /// The client gave a range or nothing, and there was room for the most chains allowed.
    case unconstrained
    /// Fewer than allowed, so that this request keeps its own latency budget.
    case budget
    /// Fewer than allowed, so that other requests keep theirs, or get a place at all.
    case load
}

/// One generated token.
public struct GeneratedToken: Sendable, Hashable {
    public var id: TokenID
    /// How many chains computed it.
    public var chains: Int
    /// Present when the request asked for log probabilities.
    public var logprobs: TokenLogprobs?

    public init(id: TokenID, chains: Int, logprobs: TokenLogprobs? = nil) {
        self.id = id
        self.chains = chains
        self.logprobs = logprobs
    }
}

/// A token's log probability (natural logarithm, of the model's own distribution: before temperature and filters)
/// and the most likely alternatives at its position, best first.
public struct TokenLogprobs: Sendable, Hashable {
    public struct Entry: Sendable, Hashable {
        public var id: TokenID
        public var logprob: Float

        public init(id: TokenID, logprob: Float) {
            self.id = id
            self.logprob = logprob
        }
    }

    public var chosen: Entry
    public var top: [Entry]

    public init(chosen: Entry, top: [Entry]) {
        self.chosen = chosen
        self.top = top
    }
}

/// Why an answer ended.
public enum FinishReason: String, Sendable, Hashable {
    /// An end token, or a stop sequence.
    case stop
    /// `maxTokens` were generated, or the context is full.
    case length
    /// The latency budget for the whole answer was used up. To OpenAI's clients a `length`.
    case deadline
}

/// Why a request ended without an answer.
public enum GenerationFailure: Error, Sendable, Hashable {
    /// The queue is full, or the queue ahead leaves no time to meet the request's budget; `retryAfter` is the expected
    /// wait in seconds.
    case overloaded(retryAfter: Double)
    /// Even the smallest size on an idle server would miss the budget; it would need `minimum`.
    case unattainable(limit: BudgetLimit, minimum: Duration)
    /// The server is going down and takes no more work.
    case shuttingDown
    /// The request can never be run: prompt and answer need more KV than the whole pool has.
    case tooLarge(neededTokens: Int, poolTokens: Int)
}

/// Which limit of a latency budget is meant.
public enum BudgetLimit: String, Sendable, Hashable {
    case whole, firstToken, perToken
}
