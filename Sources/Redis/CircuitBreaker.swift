/// Keeps callers away from a service that fails: after some failures in a row nobody asks it for a while; then one caller
/// tries, and either all may again or the while begins anew.
///
/// ```
/// closed --failures in a row--> open --pause is over--> half open (one tries)
///    ^                            ^------- it fails ---------+
///    +----------------------------------- it works ----------+
/// ```
/// A value with the time passed in.
public struct CircuitBreaker: Sendable, Hashable {
    public struct Rules: Sendable, Hashable {
        /// Failures in a row that open it.
        public var failures: Int
        /// How long nobody asks.
        public var pause: Duration

        public init(failures: Int, pause: Duration) {
            self.failures = failures
            self.pause = pause
        }
    }

    public enum State: Sendable, Hashable {
        /// Everybody may ask. How many failures there were since the last success.
        case closed(failures: Int)
        /// Nobody may ask before that time.
        case open(until: ContinuousClock.Instant)
        /// One asks; the others may not until that time, in case its result never comes.
        case halfOpen(until: ContinuousClock.Instant)
    }

    public private(set) var state = State.closed(failures: 0)
    private let rules: Rules

    public init(_ rules: Rules) {
        self.rules = rules
    }

    /// Whether the caller may ask. Who may must tell how it went.
    public mutating func permits(now: ContinuousClock.Instant) -> Bool {
        switch state {
        case .closed: return true
        case .open(let until) where now >= until, .halfOpen(let until) where now >= until:
            state = .halfOpen(until: now + rules.pause)
            return true
        case .open, .halfOpen: return false
        }
    }

    public mutating func succeeded() {
        state = .closed(failures: 0)
    }

    public mutating func failed(now: ContinuousClock.Instant) {
        switch state {
        case .closed(let failures) where failures + 1 < rules.failures: state = .closed(failures: failures + 1)
        case .closed, .halfOpen: state = .open(until: now + rules.pause)
        // One that had begun before it opened.
        case .open: break
        }
    }
}
