import Synchronization
import Tensor

/// Keeps session snapshots in a Redis that replicas share. What is in them is not looked at here.
///
/// ```swift
/// let snapshots = RedisSnapshots(settings, now: now) { lane, state, error in print(lane, state) }
/// try snapshots.store("chat-7", snapshot.encoded(), isLate: false)
/// let bytes = try snapshots.load("chat-7")
/// ```
/// A snapshot is written in chunks of bounded size under names of its own, and a pointer to them last, by a script
/// (``SnapshotScripts``): a reader finds the old snapshot or the new one, as a whole. Who writes holds the session's lease, so
/// two replicas never write it at once; and the pointer's version is compared before it is replaced, so that one whose lease
/// ran out meanwhile changes nothing. Chunks whose pointer never came vanish by themselves within a minute.
///
/// Reading and writing have a thread, a connection and a circuit breaker each, so that a large write delays no look-up. Calls
/// wait for Redis, each within its limit: never call them from the engine thread.
public final class RedisSnapshots: Sendable {
    public struct Settings: Sendable, Hashable {
        public var endpoint: RedisEndpoint
        /// In front of every key.
        public var prefix = "catena:"
        /// Snapshots that nobody replaced for so long go.
        public var timeToLive = Duration.seconds(24 * 3600)
        /// The most that a look-up takes, beside the time that a snapshot's bytes earn at `minimumRate`.
        public var lookupTimeout = Duration.milliseconds(50)
        /// The same for everything else.
        public var commandTimeout = Duration.seconds(1)
        public var connectTimeout = Duration.milliseconds(500)
        /// Bytes a second below which Redis is slow.
        public var minimumRate = 64 << 20
        /// Bytes of a value in Redis at most.
        public var chunkBytes = 512 << 10
        /// Whether snapshots are compressed, if that makes them smaller.
        public var compresses = false
        public var breaker = CircuitBreaker.Rules(failures: 3, pause: .seconds(5))
        /// The most bytes that a snapshot can have; larger ones are neither written nor read.
        public var maxBytes: Int

        public init(endpoint: RedisEndpoint, maxBytes: Int) {
            self.endpoint = endpoint
            self.maxBytes = maxBytes
        }
    }

    /// The two threads.
    public enum Lane: String, Sendable, Hashable, CaseIterable {
        case read, write
    }

    /// A session's snapshot as the list has it.
    public struct Entry: Sendable, Hashable {
        public var name: String
        /// In Redis.
        public var byteCount: Int
        /// When it was written, since 1970, by the clock of its writer.
        public var written: Duration
    }

    private let settings: Settings
    private let keys: SnapshotKeys
    private let reading: RedisLane
    private let writing: RedisLane
    private let now: @Sendable () -> Duration
    /// The sets of chunks that this replica wrote or read last, by session.
    private let known = Mutex<[String: UInt64]>([:])
    /// Beyond so many sessions all are forgotten: the next look-up of each then reads once more than needed.
    private static let mostKnown = 100_000
    /// How long chunks live whose pointer has not been written.
    private static let unfinishedChunks = Duration.seconds(60)
    /// The most sessions that the list names.
    public static let mostListed = 10_000

    /// - Parameters:
    ///   - now: the time since 1970
    ///   - changed: hears when a lane's circuit breaker opens (with the error that did it), tries again and closes.
    public init(
        _ settings: Settings,
        now: @escaping @Sendable () -> Duration,
        changed: @escaping @Sendable (Lane, CircuitBreaker.State, RedisError?) -> Void
    ) {
        self.settings = settings
        self.now = now
        keys = SnapshotKeys(prefix: settings.prefix)
        func lane(_ lane: Lane) -> RedisLane {
            RedisLane(
                name: "redis.\(lane)",
                endpoint: settings.endpoint,
                connectTimeout: settings.connectTimeout,
                rules: settings.breaker,
                changed: { changed(lane, $0, $1) }
            )
        }
        reading = lane(.read)
        writing = lane(.write)
    }

    // MARK: Writing

    /// What became of a snapshot that was to be written.
    public enum StoreOutcome: String, Sendable, Hashable {
        case written
        /// Another replica writes the session just now.
        case leased
        /// Another replica wrote the session meanwhile.
        case superseded
    }

    /// Puts a snapshot in the place of the session's older one.
    ///
    /// - Parameter isLate: it is not the session's newest for certain, so it only replaces one that this replica knows.
    /// - Returns: whether it was written and how many bytes that took. When it throws, the older one is still there.
    public func store(
        _ session: String,
        _ snapshot: SharedBytes,
        isLate: Bool
    ) throws(RedisError) -> (outcome: StoreOutcome, bytes: Int) {
        guard snapshot.count <= settings.maxBytes, !snapshot.isEmpty else {
            throw .unexpected("a snapshot of \(snapshot.count) bytes; the most is \(settings.maxBytes)")
        }
        let (coding, bytes) = SnapshotCoding.encode(snapshot, packing: settings.compresses)
        let new = SnapshotPointer(
            version: 1,
            set: UInt64.random(in: .min ... .max),
            chunks: (bytes.count + settings.chunkBytes - 1) / settings.chunkBytes,
            stored: bytes.count,
            raw: snapshot.count,
            coding: coding
        )
        let limit = settings.commandTimeout + earned(bytes.count)
        let known = known.withLock { $0[session] }
        let outcome = try writing.run(within: limit) { [self] (redis, deadline) throws(RedisError) -> StoreOutcome in
            do throws(RedisError) {
                // A writer that died gives up its lease after twice the time that a living one may take.
                guard case .taken(let old) = try lease(session, token: new.set, for: limit * 2, redis, deadline) else {
                    return .leased
                }
                if isLate, let old, old.set != known {
                    try giveUp(session, token: new.set, chunks: [], redis, deadline)
                    return .superseded
                }
                return try write(session, bytes, new, replacing: old, redis, deadline)
            } catch {
                // Redis may be full: what is there of the new snapshot must not take what room there is.
                if case .refused = error {
                    try? giveUp(session, token: new.set, chunks: keys.chunks(session, new), redis, deadline)
                }
                throw error
            }
        }
        if outcome == .written { know(session, new.set) }
        return (outcome, bytes.count)
    }

    private enum Lease {
        /// With what pointer the session has.
        case taken(SnapshotPointer?)
        case held
    }

    private func lease(
        _ session: String,
        token: UInt64,
        for time: Duration,
        _ redis: RedisConnection,
        _ deadline: ContinuousClock.Instant
    ) throws(RedisError) -> Lease {
        let token = String(token, radix: 16)
        let replies = try redis.exchange(
            [
                RedisCommand(["SET", keys.lease(session), token, "NX", "PX", String(milliseconds(time))]),
                RedisCommand(["GET", keys.pointer(session)]),
            ],
            until: deadline
        )
        return replies[0] == .none ? .held : .taken(replies[1].text.flatMap { SnapshotPointer($0) })
    }

    private func write(
        _ session: String,
        _ bytes: SharedBytes,
        _ new: SnapshotPointer,
        replacing old: SnapshotPointer?,
        _ redis: RedisConnection,
        _ deadline: ContinuousClock.Instant
    ) throws(RedisError) -> StoreOutcome {
        var pointer = new
        pointer.version = (old?.version ?? 0) + 1
        let chunks = keys.chunks(session, pointer)
        let life = milliseconds(Self.unfinishedChunks)
        for (number, key) in chunks.enumerated() {
            let start = number * settings.chunkBytes
            let chunk = bytes[start..<min(start + settings.chunkBytes, bytes.count)]
            try redis.set(key, to: chunk, milliseconds: life, until: deadline)
        }
        let ttl = milliseconds(settings.timeToLive)
        let answer = try redis.exchange(
            [
                RedisCommand(
                    ["EVAL", SnapshotScripts.commit, String(3 + chunks.count)]
                        + [keys.pointer(session), keys.lease(session), keys.index] + chunks
                        + [String(pointer.set, radix: 16), String(old?.version ?? 0), pointer.text, String(ttl)]
                        // The pointer goes first, or it would lead nowhere.
                        + [String(ttl + milliseconds(Self.unfinishedChunks)), String(milliseconds(now())), session]
                )
            ],
            until: deadline
        )
        switch answer[0].text {
        case "written":
            if let old {
                _ = try? redis.exchange([RedisCommand(["UNLINK"] + keys.chunks(session, old))], until: deadline)
            }
            return .written
        case "expired", "superseded":
            try giveUp(session, token: pointer.set, chunks: chunks, redis, deadline)
            return .superseded
        default: throw .unexpected("\(answer[0])")
        }
    }

    /// Gives the lease back, and removes chunks that lead to nothing.
    private func giveUp(
        _ session: String,
        token: UInt64,
        chunks: [String],
        _ redis: RedisConnection,
        _ deadline: ContinuousClock.Instant
    ) throws(RedisError) {
        var commands = [
            RedisCommand(["EVAL", SnapshotScripts.release, "1", keys.lease(session), String(token, radix: 16)])
        ]
        if !chunks.isEmpty { commands.append(RedisCommand(["UNLINK"] + chunks)) }
        _ = try redis.exchange(commands, until: deadline)
    }

    /// Removes a session's snapshot. Returns whether there was one. Who writes it just now will not.
    public func remove(_ session: String) throws(RedisError) -> Bool {
        known.withLock { $0[session] = nil }
        return try writing.run(within: settings.commandTimeout) { [self] (redis, deadline) throws(RedisError) -> Bool in
            let answer = try redis.exchange(
                [
                    RedisCommand([
                        "EVAL", SnapshotScripts.remove, "3", keys.pointer(session), keys.lease(session), keys.index,
                        session,
                    ])
                ],
                until: deadline
            )
            guard let text = answer[0].text else { return false }
            if let pointer = SnapshotPointer(text) {
                _ = try redis.exchange([RedisCommand(["UNLINK"] + keys.chunks(session, pointer))], until: deadline)
            }
            return true
        }
    }

    // MARK: Reading

    /// What a look-up finds.
    public enum Found: Sendable, Hashable {
        case nothing
        /// The snapshot that this replica wrote or read last.
        case known
        case snapshot(SharedBytes)
    }

    /// A session's newest snapshot.
    ///
    /// - Parameters:
    ///   - unlessKnown: whether to leave it there if this replica wrote it, or has read it already.
    ///   - watcher: hears of the snapshot's bytes while they come, if they stand there as they are. When this throws, it may
    ///     hear of some more.
    /// - Throws: ``RedisError``; `unexpected` for what this version of Catena cannot read.
    public func load(
        _ session: String,
        unlessKnown: Bool = false,
        watcher: SharedBytes.Watcher? = nil
    ) throws(RedisError) -> Found {
        let known = unlessKnown ? known.withLock { $0[session] } : nil
        let stored = try reading.runHere(startingWith: settings.lookupTimeout) {
            [self] (redis, deadline) throws(RedisError) in
            try read(session, unless: known, watcher, redis, deadline)
        }
        switch stored {
        case .nothing: return .nothing
        case .known: return .known
        case .unreadable(let problem): throw .unexpected(problem)
        case .bytes(let bytes, let pointer):
            guard let bytes = pointer.coding.decode(bytes, count: pointer.raw) else {
                throw .unexpected("the snapshot of session \(session) is damaged")
            }
            know(session, pointer.set)
            return .snapshot(bytes)
        }
    }

    /// What is in Redis.
    private enum Stored: Sendable {
        case nothing
        case known
        case bytes(SharedBytes, SnapshotPointer)
        /// Redis is well, but not what somebody wrote to it.
        case unreadable(String)
    }

    private func read(
        _ session: String,
        unless known: UInt64?,
        _ watcher: SharedBytes.Watcher?,
        _ redis: RedisConnection,
        _ deadline: RedisDeadline
    ) throws(RedisError) -> Stored {
        let key = keys.pointer(session)
        for _ in 0..<3 {
            let answer = try redis.exchange([RedisCommand(["GET", key])], until: deadline.instant)
            guard let text = answer[0].text else { return .nothing }
            guard let pointer = SnapshotPointer(text) else {
                return .unreadable("\(key) is not what this version of Catena writes")
            }
            guard max(pointer.raw, pointer.stored) <= settings.maxBytes, pointer.chunks <= 1 << 16 else {
                return .unreadable("\(key) leads to \(pointer.raw) bytes; the most is \(settings.maxBytes)")
            }
            guard pointer.set != known else { return .known }
            deadline.putOff(by: settings.lookupTimeout + earned(pointer.stored))
            let bytes = try redis.values(
                of: keys.chunks(session, pointer),
                count: pointer.stored,
                watcher: pointer.coding == .raw ? watcher : nil,
                until: deadline.instant
            )
            if let bytes { return .bytes(bytes, pointer) }
            // A chunk that is missing was replaced since the pointer was read.
        }
        // Or Redis has thrown it away to make room.
        return .nothing
    }

    // MARK: All sessions

    /// How many sessions there are; those whose time is over go.
    public func count() throws(RedisError) -> Int {
        let commands = [expiry, RedisCommand(["ZCARD", keys.index])]
        let answers = try writing.run(within: settings.commandTimeout) { (redis, deadline) throws(RedisError) in
            try redis.exchange(commands, until: deadline)
        }
        return answers[1].integer ?? 0
    }

    /// The sessions written last, ``mostListed`` at most.
    public func list() throws(RedisError) -> [Entry] {
        let newest = RedisCommand(["ZREVRANGE", keys.index, "0", String(Self.mostListed - 1), "WITHSCORES"])
        let expiry = expiry
        return try writing.run(within: settings.commandTimeout) { [keys] (redis, deadline) throws(RedisError) in
            let words = try redis.exchange([expiry, newest], until: deadline)[1].elements?.map { $0.text ?? "" } ?? []
            let sessions = stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], Double(words[$0 + 1]) ?? 0) }
            guard !sessions.isEmpty else { return [] }
            let command = RedisCommand(["MGET"] + sessions.map { keys.pointer($0.0) })
            let pointers = try redis.exchange([command], until: deadline)[0].elements ?? []
            return zip(sessions, pointers).compactMap { session, pointer in
                guard let pointer = pointer.text.flatMap({ SnapshotPointer($0) }) else { return nil }
                return Entry(name: session.0, byteCount: pointer.stored, written: .milliseconds(Int(session.1)))
            }
        }
    }

    private var expiry: RedisCommand {
        let oldest = milliseconds(now() - settings.timeToLive)
        return RedisCommand(["ZREMRANGEBYSCORE", keys.index, "-inf", String(oldest)])
    }

    // MARK: Small things

    private func know(_ session: String, _ set: UInt64) {
        known.withLock { known in
            if known.count >= Self.mostKnown { known = [:] }
            known[session] = set
        }
    }

    /// The time that so many bytes may take.
    private func earned(_ bytes: Int) -> Duration {
        .microseconds(bytes * 1_000_000 / settings.minimumRate)
    }

    private func milliseconds(_ duration: Duration) -> Int {
        Int(duration / .milliseconds(1))
    }
}
