import Core

/// A request as the scheduler sees it: counts and wishes, no tokens.
public struct ScheduledRequest: Sendable, Hashable {
    public let id: RequestID
    /// Tokens of the prompt, at least one.
    public let promptTokens: Int
    /// The most tokens to generate.
    public let maxTokens: Int
    public let chains: ChainSelection
    /// The prompt's rows want logits too.
    public let promptLogprobs: Bool

    public init(id: RequestID, promptTokens: Int, maxTokens: Int, chains: ChainSelection, promptLogprobs: Bool = false)
    {
        precondition(promptTokens > 0 && maxTokens >= 0)
        self.id = id
        self.promptTokens = promptTokens
        self.maxTokens = maxTokens
        self.chains = chains
        self.promptLogprobs = promptLogprobs
    }

    /// Tokens whose KV the request may come to need. The last generated token is never fed back.
    var kvTokens: Int { promptTokens + max(0, maxTokens - 1) }
}

/// A request with a place in the running batch.
struct RunningRequest: Sendable, Hashable {
    let request: ScheduledRequest
    /// Blocks set aside for it, for the worst case.
    let blocks: Int
    let admitted: ContinuousClock.Instant
    /// Tokens known: the prompt and what was generated.
    var known: Int
    /// Tokens whose KV is there.
    var computed = 0
    /// The chain count of its next token.
    var chains: Int

    var isPrefilling: Bool { computed < request.promptTokens }
}
