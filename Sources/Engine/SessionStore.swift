import Core
import KVCache

/// The KV that sessions keep between requests: for each session its tokens and the blocks of those computed.
///
/// A value of bookkeeping: blocks that an operation lets go come back to the caller, who owns the pool. The least
/// recently used session goes first, when there are too many or when a running request needs the blocks.
///
/// Cost: a look-up is O(1), finding the least recently used O(sessions), which happens only at an eviction.
struct SessionStore {
    struct Session {
        /// All tokens of the session, the last of which may have no KV yet.
        var tokens: [TokenID]
        var table: BlockTable
        /// The salt of the requests that may go on with it.
        var salt: String?
        fileprivate(set) var used: ContinuousClock.Instant
    }

    /// A table that no session holds any more.
    struct Released {
        var id: String
        var table: BlockTable
        /// Whether the session itself is gone, and not only an older state of it.
        var isForgotten = true
    }

    private let capacity: Int
    private let timeToLive: Duration
    private var sessions: [String: Session] = [:]
    private var lastLook: ContinuousClock.Instant?

    init(capacity: Int, timeToLive: Duration) {
        self.capacity = capacity
        self.timeToLive = timeToLive
    }

    var count: Int { sessions.count }

    subscript(id: String) -> Session? { sessions[id] }

    /// The session, which counts as used from `now` on.
    mutating func use(_ id: String, now: ContinuousClock.Instant) -> Session? {
        sessions[id]?.used = now
        return sessions[id]
    }

    /// Puts a session's new state in the place of its old one.
    ///
    /// - Returns: what was let go, whose blocks must be released. With a capacity of 0 that is the new state itself.
    mutating func store(
        _ id: String,
        tokens: [TokenID],
        table: BlockTable,
        salt: String?,
        now: ContinuousClock.Instant
    ) -> [Released] {
        var released: [Released] = []
        if let old = sessions.updateValue(Session(tokens: tokens, table: table, salt: salt, used: now), forKey: id) {
            released.append(Released(id: id, table: old.table, isForgotten: false))
        }
        while sessions.count > capacity, let victim = removeLeastRecentlyUsed() { released.append(victim) }
        return released
    }

    /// Whether idle sessions hold at least `count` blocks for which `isOwn`.
    func blocks(atLeast count: Int, where isOwn: (BlockID) -> Bool) -> Bool {
        var found = 0
        for session in sessions.values {
            for block in session.table.blocks where isOwn(block) {
                found += 1
                if found >= count { return true }
            }
        }
        return count <= 0
    }

    /// Forgets a session.
    mutating func remove(_ id: String) -> Released? {
        sessions.removeValue(forKey: id).map { Released(id: id, table: $0.table) }
    }

    /// Every session, with when it was used last.
    var all: [String: Session] { sessions }

    /// Forgets the session that was used longest ago, for its blocks.
    mutating func removeLeastRecentlyUsed() -> Released? {
        guard let victim = sessions.min(by: { $0.value.used < $1.value.used }) else { return nil }
        sessions[victim.key] = nil
        return Released(id: victim.key, table: victim.value.table)
    }

    /// Forgets the sessions that were idle for longer than their time to live. Looks at most once a second: every step
    /// asks.
    mutating func removeExpired(now: ContinuousClock.Instant) -> [Released] {
        if let lastLook, now - lastLook < .seconds(1) { return [] }
        lastLook = now
        let expired = sessions.filter { now - $0.value.used > timeToLive }
        for id in expired.keys { sessions[id] = nil }
        return expired.map { Released(id: $0.key, table: $0.value.table) }
    }
}

/// How many tokens two sequences share from the start.
func commonPrefix(_ a: [TokenID], _ b: [TokenID]) -> Int {
    var count = 0
    while count < min(a.count, b.count), a[count] == b[count] { count += 1 }
    return count
}
