/// What keys and their limits refuse, and what the access log had to leave out.
public final class AccessMetrics: Sendable {
    private let refusals = Counters(AccessRefusal.allCases)
    /// Lines of the access log that found its buffer full.
    public let logLinesDropped = Counter()

    public init() {}

    /// One request was refused.
    public func count(_ refusal: AccessRefusal) {
        refusals[refusal].add()
    }

    public func refused(_ refusal: AccessRefusal) -> Int { refusals[refusal].value }
}

/// Why a request was refused for who sent it.
public enum AccessRefusal: String, Sendable, Hashable, CaseIterable {
    /// No key, or a wrong one (401).
    case key
    /// More chains than the key allows (403).
    case chains
    /// Requests a minute (429).
    case requests
    /// Tokens a minute (429).
    case tokens
    /// Completions at the same time (429).
    case concurrent
}
