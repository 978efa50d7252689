/// A change to a request while it waits or runs; what is nil stays as it is. It takes effect with the next token.
public struct RequestChange: Sendable, Hashable {
    public var chains: ChainSelection?
    /// In place of all former limits. Its times count from ``received``.
    public var budget: LatencyBudget?
    /// When the change arrived.
    public var received: ContinuousClock.Instant

    public init(chains: ChainSelection? = nil, budget: LatencyBudget? = nil, received: ContinuousClock.Instant) {
        self.chains = chains
        self.budget = budget
        self.received = received
    }
}

/// Where a request stands, as the answer to a change tells it.
public struct RequestStatus: Sendable, Hashable {
    public enum Phase: String, Sendable, Hashable {
        case queued, prefill, decode
    }

    public var phase: Phase
    /// The chain count of its next token, or of its first while it waits.
    public var chains: Int
    public var promptTokens: Int
    public var generatedTokens: Int

    public init(phase: Phase, chains: Int, promptTokens: Int, generatedTokens: Int) {
        self.phase = phase
        self.chains = chains
        self.promptTokens = promptTokens
        self.generatedTokens = generatedTokens
    }
}
