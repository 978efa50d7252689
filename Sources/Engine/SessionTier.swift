import Core
import KVCache
import Tensor

/// A place for session snapshots that is slower and larger than memory, and outlives the process. Calls may block and
/// come from several threads.
public protocol SessionTier: Sendable {
    var kind: SessionSummary.Tier { get }

    /// Puts a snapshot in the place of the session's older one, as a whole or not at all.
    ///
    /// - Parameter isLate: the snapshot could not be written when it was made, and others may have gone on with the session
    ///   since; then it only replaces what this process wrote or read.
    /// - Throws: ``TierUnavailable`` for a tier that is left alone; whoever decided that has said why.
    func store(_ id: String, _ snapshot: SharedBytes, isLate: Bool) throws -> StoreResult

    /// The bytes of a session's snapshot; nil when there is none. Throws as ``store(_:_:isLate:)``.
    ///
    /// - Parameter watcher: may hear of them while they come, and of others' when this throws.
    func load(_ id: String, watcher: @escaping SharedBytes.Watcher) throws -> SharedBytes?

    /// Whether other processes write here as well, and what they wrote may be newer than what this one has in memory.
    var isShared: Bool { get }

    /// The bytes of a session's snapshot if another process wrote it, and this one has not read it yet.
    func loadForeign(_ id: String, watcher: @escaping SharedBytes.Watcher) throws -> ForeignSnapshot

    /// Returns whether there was one.
    func remove(_ id: String) throws -> Bool

    /// Removes what nobody used for too long.
    func removeExpired() throws

    /// What is here, as far as it is known without reading snapshots.
    func list() throws -> [StoredSession]

    /// How many sessions are here.
    func count() throws -> Int
}

extension SessionTier {
    public var isShared: Bool { false }
    public func loadForeign(_ id: String, watcher: @escaping SharedBytes.Watcher) throws -> ForeignSnapshot {
        .ownIsNewest
    }

    public func count() throws -> Int { try list().count }
}

/// What became of a snapshot that was to be written.
public enum StoreResult: Sendable, Hashable {
    case stored
    /// Somebody else writes the session just now: later, perhaps.
    case busy
    /// Somebody else has gone on with the session, and what they wrote stays.
    case outdated
}

/// What a shared tier has of a session.
public enum ForeignSnapshot: Sendable, Hashable {
    case none
    /// What this process wrote or read last.
    case ownIsNewest
    case bytes(SharedBytes)
}

/// A tier is left alone for a while because it failed.
public struct TierUnavailable: Error, Sendable, Hashable {
    public init() {}
}

/// A snapshot in a tier.
public struct StoredSession: Sendable, Hashable {
    public var id: String
    public var bytes: Int
    /// Seconds since it was stored or loaded.
    public var idle: Double

    public init(id: String, bytes: Int, idle: Double) {
        self.id = id
        self.bytes = bytes
        self.idle = idle
    }
}

/// A folder as a tier.
public struct DiskTier: SessionTier {
    private let folder: SnapshotFolder

    public init(_ folder: SnapshotFolder) {
        self.folder = folder
    }

    public var kind: SessionSummary.Tier { .disk }

    public func store(_ id: String, _ snapshot: SharedBytes, isLate: Bool) throws -> StoreResult {
        try folder.store(id, snapshot)
        return .stored
    }

    public func load(_ id: String, watcher: @escaping SharedBytes.Watcher) throws -> SharedBytes? {
        try folder.load(id, watcher: watcher)
    }

    public func remove(_ id: String) throws -> Bool {
        try folder.remove(id)
    }

    public func removeExpired() throws {
        _ = try folder.removeExpired()
    }

    public func list() throws -> [StoredSession] {
        let now = SnapshotFolder.systemTime
        return folder.list().map {
            StoredSession(id: $0.name, bytes: $0.byteCount, idle: max(0, (now - $0.lastUsed) / .seconds(1)))
        }
    }
}
