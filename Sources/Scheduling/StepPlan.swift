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
        public var logits: Logits

        public init(id: RequestID, start: Int, count: Int, chains: Int, logits: Logits) {
            self.id = id
            self.start = start
            self.count = count
            self.chains = chains
            self.logits = logits
        }
    }

    /// Which rows of a part want logits.
    public enum Logits: Sendable, Hashable {
        case none
        case last
        case all
    }

    public var parts: [Part]

    public init(parts: [Part]) {
        self.parts = parts
    }

    public var isEmpty: Bool { parts.isEmpty }
    public var tokens: Int { parts.reduce(0) { $0 + $1.count } }
}
