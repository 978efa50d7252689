import Core
import Dispatch
import Engine
import Synchronization
import Tensor

/// A tier in memory that can fail, that others write to, and whose writes can be held up.
final class MemoryTier: SessionTier {
    struct Broken: Error {}

    private struct State {
        var snapshots: [String: SharedBytes] = [:]
        var writes: [String] = []
        var error: (any Error)?
        /// What others have written and this process has not read.
        var foreign: Set<String> = []
        var result = StoreResult.stored
        var lateWrites: [String] = []
    }

    let kind = SessionSummary.Tier.redis
    private let state = Mutex(State())
    /// Signalled when a held write has begun; waited for before it goes on.
    let held: (begun: DispatchSemaphore, released: DispatchSemaphore)?

    let isShared: Bool

    init(holdsWrites: Bool = false, isShared: Bool = false) {
        self.isShared = isShared
        held = holdsWrites ? (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0)) : nil
    }

    /// Names of the sessions in the order of their writes.
    var writes: [String] { state.withLock { $0.writes } }

    /// Names of the sessions whose writes came late.
    var lateWrites: [String] { state.withLock { $0.lateWrites } }

    func breakDown(_ error: any Error = Broken()) { state.withLock { $0.error = error } }

    func recover() { state.withLock { $0.error = nil } }

    /// What writing says from now on.
    func answer(_ result: StoreResult) { state.withLock { $0.result = result } }

    /// Writes as another process does.
    func put(_ id: String, _ snapshot: SharedBytes) {
        state.withLock { state in
            state.snapshots[id] = snapshot
            state.foreign.insert(id)
        }
    }

    /// Changes a byte, counted from the end if it is negative.
    func damage(_ id: String, at place: Int = 100) {
        state.withLock { state in
            state.snapshots[id] = state.snapshots[id].map { whole in
                var bytes = Array(whole)
                bytes[place < 0 ? bytes.count + place : place] ^= 1
                return SharedBytes(bytes)
            }
        }
    }

    func store(_ id: String, _ snapshot: SharedBytes, isLate: Bool) throws -> StoreResult {
        held?.begun.signal()
        held?.released.wait()
        return try state.withLock { state in
            if let error = state.error { throw error }
            guard state.result == .stored else { return state.result }
            state.snapshots[id] = snapshot
            state.writes.append(id)
            if isLate { state.lateWrites.append(id) }
            return .stored
        }
    }

    func loadForeign(_ id: String, watcher: @escaping SharedBytes.Watcher) throws -> ForeignSnapshot {
        try state.withLock { state in
            if let error = state.error { throw error }
            guard let bytes = state.snapshots[id] else { return .none }
            guard state.foreign.remove(id) != nil else { return .ownIsNewest }
            show(bytes, to: watcher)
            return .bytes(bytes)
        }
    }

    func load(_ id: String, watcher: @escaping SharedBytes.Watcher = { _ in }) throws -> SharedBytes? {
        try state.withLock { state in
            if let error = state.error { throw error }
            guard let bytes = state.snapshots[id] else { return nil }
            show(bytes, to: watcher)
            return bytes
        }
    }

    /// A few at a time.
    private func show(_ bytes: SharedBytes, to watcher: SharedBytes.Watcher) {
        for end in stride(from: 0, to: bytes.count, by: 1000) { watcher(bytes[..<end]) }
        watcher(bytes)
    }

    func remove(_ id: String) throws -> Bool {
        try state.withLock { state in
            if let error = state.error { throw error }
            return state.snapshots.removeValue(forKey: id) != nil
        }
    }

    func removeExpired() throws {}

    func list() throws -> [StoredSession] {
        try state.withLock { state in
            if let error = state.error { throw error }
            return state.snapshots.map { StoredSession(id: $0.key, bytes: $0.value.count, idle: 3) }
        }
    }
}
