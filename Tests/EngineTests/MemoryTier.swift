import Core
import Dispatch
import Engine
import Synchronization

/// A tier in memory that can fail, and whose writes can be held up.
final class MemoryTier: SessionTier {
    struct Broken: Error {}

    private struct State {
        var snapshots: [String: [UInt8]] = [:]
        var writes: [String] = []
        var isBroken = false
    }

    let kind = SessionSummary.Tier.redis
    private let state = Mutex(State())
    /// Signalled when a held write has begun; waited for before it goes on.
    let held: (begun: DispatchSemaphore, released: DispatchSemaphore)?

    init(holdsWrites: Bool = false) {
        held = holdsWrites ? (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0)) : nil
    }

    /// Names of the sessions in the order of their writes.
    var writes: [String] { state.withLock { $0.writes } }

    func breakDown() { state.withLock { $0.isBroken = true } }

    func damage(_ id: String) { state.withLock { $0.snapshots[id]?[100] ^= 1 } }

    func store(_ id: String, _ snapshot: [UInt8]) throws {
        held?.begun.signal()
        held?.released.wait()
        try state.withLock { state in
            guard !state.isBroken else { throw Broken() }
            state.snapshots[id] = snapshot
            state.writes.append(id)
        }
    }

    func load(_ id: String) throws -> [UInt8]? {
        try state.withLock { state in
            guard !state.isBroken else { throw Broken() }
            return state.snapshots[id]
        }
    }

    func remove(_ id: String) throws -> Bool {
        try state.withLock { state in
            guard !state.isBroken else { throw Broken() }
            return state.snapshots.removeValue(forKey: id) != nil
        }
    }

    func removeExpired() throws {}

    func list() throws -> [StoredSession] {
        try state.withLock { state in
            guard !state.isBroken else { throw Broken() }
            return state.snapshots.map { StoredSession(id: $0.key, bytes: $0.value.count, idle: 3) }
        }
    }
}
