// What a folder of snapshots holds, as a value without the disk.

/// Sizes and times of a folder's snapshots.
///
/// Cost: O(1) to change, O(snapshots) to find the one to evict and the expired ones, each of which costs a file operation.
struct SnapshotFolderIndex: Sendable {
    struct Entry: Sendable {
        var byteCount: Int
        /// Since 1970.
        var lastUsed: Duration
    }

    private(set) var entries: [SnapshotFileName: Entry] = [:]
    /// Bytes of all snapshots.
    private(set) var byteCount = 0

    subscript(file: SnapshotFileName) -> Entry? {
        get { entries[file] }
        set {
            byteCount += (newValue?.byteCount ?? 0) - (entries[file]?.byteCount ?? 0)
            entries[file] = newValue
        }
    }

    /// The snapshot to evict so that all but `kept` take at most `limit` bytes: the least recently used of the others.
    func victim(limit: Int, keeping kept: SnapshotFileName?) -> SnapshotFileName? {
        let keptBytes = kept.flatMap { entries[$0]?.byteCount } ?? 0
        guard byteCount - keptBytes > limit else { return nil }
        return entries.filter { $0.key != kept }
            .min { ($0.value.lastUsed, $0.key.text) < ($1.value.lastUsed, $1.key.text) }?.key
    }

    /// The snapshots that nobody used for longer than `timeToLive`.
    func expired(now: Duration, timeToLive: Duration) -> [SnapshotFileName] {
        entries.filter { now - $0.value.lastUsed > timeToLive }.map(\.key)
    }
}
