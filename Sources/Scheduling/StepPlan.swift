import Core

/// What one engine step computes: rows of one ragged batch, as plain data. A prefill chunk and a decoded token are the
/// same thing, a run of tokens of one request, so there is one kind of part.
public struct StepPlan: Sendable, Hashable {
    public struct Part: Sendable, Hashable {
        public var id: RequestID
        /// The position of the first token to compute.
        public var start: Int
        /// How many tokens to compute, at least one.
        public var count: Int
        /// The chain count of the rows that want logits; the others run chain 1 alone.
        public var chains: Int
        public var reason: ChainReason
        public var logits: Logits

        public init(
            id: RequestID,
            start: Int,
            count: Int,
            chains: Int,
            reason: ChainReason = .requested,
            logits: Logits
        ) {
            self.id = id
            self.start = start
            self.count = count
            self.chains = chains
            self.reason = reason
            self.logits = logits
        }
    }

    /// Which rows of a part want logits.
    public enum Logits: Sendable, Hashable {
        case none
        case last
        case all
    }

    /// A request that has its place now, and what it found there.
    public struct Start: Sendable, Hashable {
        public var id: RequestID
        /// Tokens whose KV was there already.
        public var cachedTokens: Int
        /// Whether it runs again after it was preempted.
        public var isResumed: Bool
    }

    public var parts: [Part] = []
    /// Requests that got a place.
    public var started: [Start] = []
    /// Requests that lost their place for want of KV; they wait again, and nothing of their answer is lost.
    public var preempted: [RequestID] = []
    /// Requests whose budget for the whole answer is used up. They are to be finished; they have no part.
    public var expired: [RequestID] = []

    public init(parts: [Part] = []) {
        self.parts = parts
    }

    public var isEmpty: Bool { parts.isEmpty }
    public var tokens: Int { parts.reduce(0) { $0 + $1.count } }
}
