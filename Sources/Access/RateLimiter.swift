import Synchronization

/// What all keys have used of their limits, by name. Calls may come from any thread and wait for nothing but each other.
///
/// A request is counted when it comes. A completion reserves the tokens of its prompt and the most that it may generate
/// when it is admitted, and gives back what it did not generate: so no key gets beyond its limit by asking for much at
/// once.
public final class RateLimiter: Sendable {
    private let usages = Mutex<[String: KeyUsage]>([:])

    public init() {}

    /// Counts a request.
    public func takeRequest(_ key: AccessKey, at now: ContinuousClock.Instant = .now) throws(LimitReached) {
        try change(key, at: now) { (usage) throws(LimitReached) in try usage.takeRequest(at: now) }
    }

    /// Reserves tokens for a completion, which counts as running until `settle`.
    public func reserve(
        _ tokens: Int,
        for key: AccessKey,
        at now: ContinuousClock.Instant = .now
    ) throws(LimitReached) -> Reservation {
        try change(key, at: now) { (usage) throws(LimitReached) in
            try usage.reserve(tokens, most: key.maxConcurrent, at: now)
        }
        return Reservation(key: key, tokens: tokens)
    }

    /// The completion has ended. To be called once.
    /// - Parameter used: of the reserved tokens.
    public func settle(_ reservation: Reservation, used: Int, at now: ContinuousClock.Instant = .now) {
        let unused = max(0, reservation.tokens - used)
        usages.withLock { $0[reservation.key.name]?.settle(unused: unused, at: now) }
    }

    /// Where the key stands.
    public func levels(of key: AccessKey, at now: ContinuousClock.Instant = .now) -> LimitLevels {
        usages.withLock { usages in
            var usage = usages[key.name] ?? KeyUsage()
            usage.follow(key, at: now)
            return usage.levels(at: now)
        }
    }

    private func change(
        _ key: AccessKey,
        at now: ContinuousClock.Instant,
        _ body: (inout KeyUsage) throws(LimitReached) -> Void
    ) throws(LimitReached) {
        let result: Result<Void, LimitReached> = usages.withLock { usages in
            usages[key.name, default: KeyUsage()].follow(key, at: now)
            do throws(LimitReached) {
                try body(&usages[key.name, default: KeyUsage()])
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }
}

/// Tokens that a completion may use.
public struct Reservation: Sendable, Hashable {
    public let key: AccessKey
    public let tokens: Int
}
