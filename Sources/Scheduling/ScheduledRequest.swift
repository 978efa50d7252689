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
    public let budget: LatencyBudget
    /// What the budget counts from.
    public let arrival: ContinuousClock.Instant
    public let priority: Int
    /// Clients get even shares.
    public let client: String
    /// The request whose prompt's KV this one waits for, to share it.
    public let leader: RequestID?

    public init(
        id: RequestID,
        promptTokens: Int,
        maxTokens: Int,
        chains: ChainSelection = .auto,
        promptLogprobs: Bool = false,
        budget: LatencyBudget = .none,
        arrival: ContinuousClock.Instant,
        priority: Int = 0,
        client: String = "",
        leader: RequestID? = nil
    ) {
        precondition(promptTokens > 0 && maxTokens >= 0)
        self.id = id
        self.promptTokens = promptTokens
        self.maxTokens = maxTokens
        self.chains = chains
        self.promptLogprobs = promptLogprobs
        self.budget = budget
        self.arrival = arrival
        self.priority = priority
        self.client = client
        self.leader = leader
    }

    /// Tokens whose KV the request may come to need. The last generated token is never fed back.
    var kvTokens: Int { promptTokens + max(0, maxTokens - 1) }
}
