import Core
import KVCache
import Scheduling

/// The KV of running requests and idle sessions, in one block pool: what the scheduler asks for room.
///
/// When a request begins, its first tokens may have their KV already: in its session, in the request whose prompt it
/// shares, or in any earlier request's blocks, which the pool's prefix index finds. The longest of the three is taken.
/// When blocks run short the pool drops cached prefixes first, then idle sessions go, the least recently used before
/// others.
struct KVMemory: KVRoom {
    let pool: BlockPool
    /// Whether finished and running requests' full blocks may be found by others.
    let sharesPrefixes: Bool
    private(set) var sessions: SessionStore
    private let directory: SessionDirectory
    /// Sessions on their way from a slower tier.
    private(set) var arrivals = Arrivals()
    var requests: [RequestID: ActiveRequest] = [:]

    init(pool: BlockPool, sessions: SessionStore, directory: SessionDirectory, sharesPrefixes: Bool) {
        self.pool = pool
        self.sessions = sessions
        self.directory = directory
        self.sharesPrefixes = sharesPrefixes
    }

    /// Blocks that requests hold. One that several share counts for each of them, but never more than are held at all.
    var runningBlocks: Int {
        min(pool.usedBlocks, requests.values.reduce(0) { $0 + $1.table.blocks.count })
    }

    // MARK: The scheduler's questions

    func canTake(blocks: Int) -> Bool {
        let short = blocks - pool.availableBlocks
        return short <= 0 || sessions.blocks(atLeast: short) { pool.ledger.references(to: $0) == 1 }
    }

    mutating func begin(_ id: RequestID, known: Int) -> Int {
        guard let request = requests[id], !request.needsPromptLogits else { return 0 }
        request.table = longestPrefix(of: request, atMost: known - 1)
        return request.table.tokenCount
    }

    mutating func reserve(_ id: RequestID, count: Int) -> Bool {
        guard let request = requests[id] else { return false }
        let missing = count - request.table.tokenCount
        guard missing > 0 else { return true }
        while !pool.append(missing, to: &request.table) {
            guard let victim = sessions.removeLeastRecentlyUsed() else { return false }
            forget(victim)
        }
        return true
    }

    mutating func giveUp(_ id: RequestID) {
        guard let request = requests[id] else { return }
        pool.release(&request.table)
        // They are collected from the first token on again.
        if request.needsPromptLogits { request.promptLogprobs = [nil] }
    }

    // MARK: Prefixes

    /// A table of its own with the longest run of the request's first tokens that is there.
    private func longestPrefix(of request: ActiveRequest, atMost: Int) -> BlockTable {
        var best: (table: BlockTable, count: Int)?
        func consider(_ tokens: [TokenID], _ table: BlockTable) {
            let count = min(commonPrefix(tokens, request.tokens), table.tokenCount, atMost)
            if count > best?.count ?? 0 { best = (table, count) }
        }
        let wish = request.request
        if let id = wish.sessionID, let session = sessions[id], session.salt == wish.cacheSalt {
            consider(session.tokens, session.table)
        }
        if let leader = wish.leader.flatMap({ requests[$0] }) { consider(leader.tokens, leader.table) }
        if sharesPrefixes {
            let cached = pool.adopt(request.tokens, salt: wish.cacheSalt, atMost: atMost)
            if cached.tokenCount >= best?.count ?? 1 { return cached }
            var unused = cached
            pool.release(&unused)
        }
        guard let best else { return BlockTable() }
        var table = pool.fork(best.table)
        pool.truncate(&table, to: best.count)
        return table
    }

    /// Lets others find the blocks that a request has filled.
    func publish(_ request: ActiveRequest, computed: Int) {
        guard sharesPrefixes else { return }
        pool.publish(&request.table, tokens: request.tokens, upTo: computed, salt: request.request.cacheSalt)
    }

    // MARK: Requests end, sessions stay

    /// Takes a request out; its blocks go to its session, or back to the pool.
    ///
    /// - Returns: the session that has new tokens now, if any.
    @discardableResult
    mutating func end(_ id: RequestID, now: ContinuousClock.Instant) -> String? {
        guard let request = requests.removeValue(forKey: id) else { return nil }
        var table = request.table
        guard let session = request.request.sessionID, !table.isEmpty else {
            pool.release(&table)
            return nil
        }
        store(session, tokens: request.tokens, table: table, salt: request.request.cacheSalt, now: now)
        return session
    }

    /// Marks a session as used.
    mutating func touch(_ session: String, now: ContinuousClock.Instant) {
        _ = sessions.use(session, now: now)
    }

    /// Puts what has come of a session into the pool, if there is room for all of it.
    mutating func arriving(_ event: ArrivingSnapshot.Event) {
        switch event {
        case .piece(let piece):
            var arrivals = arrivals
            arrivals.take(piece, into: pool) { makeRoom(for: $0) }
            self.arrivals = arrivals
        case .dropped(let id): arrivals.drop(id, pool: pool)
        }
    }

    /// Puts a session that came back from a slower tier into the pool, unless there is no room, or one that has gone further.
    mutating func restore(_ restored: RestoredSession, id: String, now: ContinuousClock.Instant) {
        let snapshot = restored.snapshot
        if let own = sessions[id], own.salt != snapshot.salt || own.tokens.count >= snapshot.tokens.count {
            if let arrival = restored.arrival { arrivals.drop(arrival, pool: pool) }
            return
        }
        let arrived = restored.arrival.flatMap { arrivals.finish($0, snapshot.blocks, pool: pool) }
        guard let table = arrived ?? restore(snapshot) else { return }
        store(id, tokens: snapshot.tokens, table: table, salt: snapshot.salt, now: now)
    }

    private mutating func restore(_ snapshot: KVSnapshot) -> BlockTable? {
        guard makeRoom(for: pool.layout.blocks(for: snapshot.computedTokens)) else { return nil }
        return pool.restore(snapshot.blocks, tokens: snapshot.computedTokens)
    }

    /// Lets idle sessions go until so many blocks are available, if that is enough. Returns whether they are.
    private mutating func makeRoom(for blocks: Int) -> Bool {
        guard canTake(blocks: blocks) else { return false }
        while pool.availableBlocks < blocks {
            guard let victim = sessions.removeLeastRecentlyUsed() else { return false }
            forget(victim)
        }
        return true
    }

    mutating func removeSession(_ id: String) {
        guard let removed = sessions.remove(id) else { return }
        forget(removed)
    }

    mutating func removeExpiredSessions(now: ContinuousClock.Instant) {
        for expired in sessions.removeExpired(now: now) { forget(expired) }
    }

    private mutating func store(
        _ id: String,
        tokens: [TokenID],
        table: BlockTable,
        salt: String?,
        now: ContinuousClock.Instant
    ) {
        directory.set(
            id,
            .init(tokens: tokens, salt: salt, bytes: table.blocks.count * pool.layout.blockBytes, used: now)
        )
        for released in sessions.store(id, tokens: tokens, table: table, salt: salt, now: now) { forget(released) }
    }

    private func forget(_ released: SessionStore.Released) {
        var table = released.table
        pool.release(&table)
        if released.isForgotten { directory.remove(released.id) }
    }
}
