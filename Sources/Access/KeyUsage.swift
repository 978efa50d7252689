/// What one key has used of its limits. A value with the clock passed in.
struct KeyUsage: Sendable {
    private var requests: TokenBucket?
    private var tokens: TokenBucket?
    /// Completions that wait or run.
    private(set) var running = 0

    init() {}

    /// Follows the key's limits, which a reload may have changed.
    mutating func follow(_ key: AccessKey, at now: ContinuousClock.Instant) {
        Self.follow(key.requestsPerMinute, &requests, at: now)
        Self.follow(key.tokensPerMinute, &tokens, at: now)
    }

    private static func follow(_ limit: Int?, _ bucket: inout TokenBucket?, at now: ContinuousClock.Instant) {
        guard let limit else { return bucket = nil }
        guard bucket?.capacity != limit else { return }
        if bucket == nil { bucket = TokenBucket(perMinute: limit, at: now) }
        bucket?.setCapacity(limit, at: now)
    }

    mutating func takeRequest(at now: ContinuousClock.Instant) throws(LimitReached) {
        if let wait = requests?.take(1, at: now) { throw .requests(limit: requests?.capacity ?? 0, wait: wait) }
    }

    /// - Parameter most: completions at the same time.
    mutating func reserve(_ count: Int, most: Int?, at now: ContinuousClock.Instant) throws(LimitReached) {
        if let most, running >= most { throw .concurrent(limit: most) }
        if let capacity = tokens?.capacity, count > capacity { throw .tooManyTokens(limit: capacity, asked: count) }
        if let wait = tokens?.take(count, at: now) {
            throw .tokens(limit: tokens?.capacity ?? 0, asked: count, wait: wait)
        }
        running += 1
    }

    mutating func settle(unused: Int, at now: ContinuousClock.Instant) {
        running -= 1
        tokens?.giveBack(unused, at: now)
    }

    mutating func levels(at now: ContinuousClock.Instant) -> LimitLevels {
        LimitLevels(requests: Self.level(&requests, at: now), tokens: Self.level(&tokens, at: now))
    }

    private static func level(_ bucket: inout TokenBucket?, at now: ContinuousClock.Instant) -> LimitLevels.Level? {
        guard let limit = bucket?.capacity, let remaining = bucket?.remaining(at: now),
            let reset = bucket?.timeUntilFull(at: now)
        else { return nil }
        return LimitLevels.Level(limit: limit, remaining: remaining, reset: reset)
    }
}

/// Which limit of its key a request reached. Waits are until it would not have.
public enum LimitReached: Error, Sendable, Hashable {
    case requests(limit: Int, wait: Duration)
    case tokens(limit: Int, asked: Int, wait: Duration)
    /// More than a minute's worth: no wait helps.
    case tooManyTokens(limit: Int, asked: Int)
    case concurrent(limit: Int)
}

/// How far a key is from its limits per minute: what the `x-ratelimit-*` headers say.
public struct LimitLevels: Sendable, Hashable {
    public struct Level: Sendable, Hashable {
        public var limit: Int
        public var remaining: Int
        /// Until all of the limit is there again.
        public var reset: Duration
    }

    /// Nil without such a limit.
    public var requests: Level?
    public var tokens: Level?
}
