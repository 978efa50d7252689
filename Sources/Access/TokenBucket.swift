/// A limit per minute: a bucket that fills evenly and is full after a minute. A value with the clock passed in.
///
/// ```swift
/// var bucket = TokenBucket(perMinute: 60, at: now)   // full
/// bucket.take(1, at: now)                            // nil: taken
/// bucket.take(60, at: now)                           // a second: the wait until there are 60
/// ```
/// The most that can pass within a minute is twice the limit: a full bucket, and what flows in.
public struct TokenBucket: Sendable, Hashable {
    /// What fits in it, and flows in within a minute.
    public private(set) var capacity: Int
    private var level: Double
    private var updated: ContinuousClock.Instant

    public init(perMinute capacity: Int, at now: ContinuousClock.Instant) {
        self.capacity = capacity
        level = Double(capacity)
        updated = now
    }

    /// Takes an amount, if it is there.
    /// - Returns: nil when it was; else how long until it will be: nothing was taken. An amount above the capacity never is,
    ///   and is for the caller to refuse.
    public mutating func take(_ amount: Int, at now: ContinuousClock.Instant) -> Duration? {
        fill(at: now)
        // Sums of fractions of a second may be short of a whole by their rounding.
        guard Double(amount) <= level + 1e-6 else { return duration(of: Double(amount) - level) }
        level -= Double(amount)
        return nil
    }

    /// Puts back what was taken and not used.
    public mutating func giveBack(_ amount: Int, at now: ContinuousClock.Instant) {
        fill(at: now)
        level = min(level + Double(amount), Double(capacity))
    }

    /// Another limit from now on; what was used stays used.
    public mutating func setCapacity(_ capacity: Int, at now: ContinuousClock.Instant) {
        fill(at: now)
        level = min(max(level + Double(capacity - self.capacity), 0), Double(capacity))
        self.capacity = capacity
    }

    /// What can be taken at once.
    public mutating func remaining(at now: ContinuousClock.Instant) -> Int {
        fill(at: now)
        return Int(level + 1e-6)
    }

    /// How long until it is full.
    public mutating func timeUntilFull(at now: ContinuousClock.Instant) -> Duration {
        fill(at: now)
        return duration(of: Double(capacity) - level)
    }

    private mutating func fill(at now: ContinuousClock.Instant) {
        // Threads may come with times in another order than they took them.
        guard now > updated else { return }
        level = min(level + (now - updated) / .seconds(60) * Double(capacity), Double(capacity))
        updated = now
    }

    private func duration(of amount: Double) -> Duration {
        .seconds(max(amount, 0) * 60 / Double(capacity))
    }
}
