import Core
import KVCache

/// A place for session snapshots that is slower and larger than memory, and outlives the process. Calls may block and
/// come from several threads.
public protocol SessionTier: Sendable {
    var kind: SessionSummary.Tier { get }

    /// Puts a snapshot in the place of the session's older one, as a whole or not at all.
    func store(_ id: String, _ snapshot: [UInt8]) throws

    /// The bytes of a session's snapshot; nil when there is none.
    func load(_ id: String) throws -> [UInt8]?

    /// Returns whether there was one.
    func remove(_ id: String) throws -> Bool

    /// Removes what nobody used for too long.
    func removeExpired() throws

    /// What is here, as far as it is known without reading snapshots.
    func list() throws -> [StoredSession]
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

    public func store(_ id: String, _ snapshot: [UInt8]) throws {
        try folder.store(id, snapshot)
    }

    public func load(_ id: String) throws -> [UInt8]? {
        try folder.load(id)
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
