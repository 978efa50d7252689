/// The names of keys in Redis, all behind a prefix.
struct SnapshotKeys: Sendable, Hashable {
    let prefix: String

    /// Of a session's pointer.
    func pointer(_ session: String) -> String { prefix + "session:" + session }

    /// Of the right to write a session.
    func lease(_ session: String) -> String { prefix + "lease:" + session }

    /// Of a snapshot's chunks, whose set has a name of its own. The session comes last: it may hold any characters.
    func chunks(_ session: String, set: UInt64, count: Int) -> [String] {
        let set = String(set, radix: 16)
        return (0..<count).map { "\(prefix)chunk:\(set):\($0):\(session)" }
    }

    func chunks(_ session: String, _ pointer: SnapshotPointer) -> [String] {
        chunks(session, set: pointer.set, count: pointer.chunks)
    }

    /// Of the sorted set of all sessions, by when they were written in milliseconds since 1970.
    var index: String { prefix + "sessions" }
}
