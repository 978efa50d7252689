import Dispatch
import KVCache
import Synchronization

/// Writes sessions to one tier on a queue of its own, behind the requests, so that a slow tier holds up no other.
///
/// A session that changes again before it was written is written once. What could not be written is remembered by name, for
/// ``takeUnsaved(most:evenIfFailing:)``.
final class TierWriter: Sendable {
    private struct Item {
        var snapshot: KVSnapshot
        var isLate: Bool
    }

    private struct State {
        /// Not written yet, by session, and their bytes.
        var pending: [String: Item] = [:]
        var pendingBytes = 0
        /// On its way to the tier, which may not have it yet.
        var writing: KVSnapshot?
        /// Sessions of which the tier has no state or an older one.
        var unsaved: Set<String> = []
        /// Sessions that could not be removed.
        var doomed: Set<String> = []
        /// Whether the last attempt to write worked.
        var works = true

        mutating func take(_ id: String) -> Item? {
            let item = pending.removeValue(forKey: id)
            pendingBytes -= item?.snapshot.blocks.count ?? 0
            return item
        }
    }

    let tier: any SessionTier
    let limit: Int
    private let report: @Sendable (String) -> Void
    private let state = Mutex(State())
    private let queue: DispatchQueue

    /// - Parameter limit: the most bytes that wait to be written.
    init(_ tier: any SessionTier, limit: Int, report: @escaping @Sendable (String) -> Void) {
        self.tier = tier
        self.limit = limit
        self.report = report
        queue = DispatchQueue(label: "catena.sessions.\(tier.kind.rawValue)", qos: .utility)
    }

    /// Whether a snapshot of so many bytes may wait, in the place of an older one. If not, the session is noted as unsaved.
    func hasRoom(for bytes: Int, of id: String) -> Bool {
        state.withLock { state in
            let others = state.pendingBytes - (state.pending[id]?.snapshot.blocks.count ?? 0)
            let fits = others + bytes <= limit
            if !fits { state.unsaved.insert(id) }
            return fits
        }
    }

    /// Writes a snapshot soon.
    func add(_ id: String, _ snapshot: KVSnapshot, isLate: Bool) {
        let isFirst = state.withLock { state in
            let old = state.take(id)
            state.pending[id] = Item(snapshot: snapshot, isLate: isLate && old?.isLate ?? true)
            state.pendingBytes += snapshot.blocks.count
            state.unsaved.remove(id)
            state.doomed.remove(id)
            return old == nil
        }
        if isFirst { queue.async { self.write(id) } }
    }

    private func write(_ id: String) {
        let item = state.withLock { state in
            let item = state.take(id)
            state.writing = item?.snapshot
            return item
        }
        guard let item else { return }
        var isSaved = true
        var works = true
        do {
            isSaved = try tier.store(id, item.snapshot.encoded(), isLate: item.isLate) != .busy
        } catch {
            (isSaved, works) = (false, false)
            if !(error is TierUnavailable) { report("session \(id) was not written: \(error)") }
        }
        state.withLock { state in
            state.writing = nil
            state.works = works
            if !isSaved, state.pending[id] == nil { state.unsaved.insert(id) }
        }
    }

    /// What waits or is being written of a session.
    func latest(_ id: String) -> KVSnapshot? {
        state.withLock { state in
            state.pending[id]?.snapshot ?? state.writing.flatMap { $0.name == id ? $0 : nil }
        }
    }

    /// Sessions to write again, which are no longer noted as unsaved.
    ///
    /// - Parameter evenIfFailing: else one to try, while the tier fails.
    func takeUnsaved(most: Int, evenIfFailing: Bool) -> [String] {
        state.withLock { state in
            let ids = Array(state.unsaved.prefix(state.works || evenIfFailing ? most : 1))
            state.unsaved.subtract(ids)
            return ids
        }
    }

    /// Removes a session, what waits of it, and what a write that has begun leaves. What fails is tried again by ``tidy()``.
    ///
    /// - Returns: whether there was something.
    func remove(_ id: String) -> Bool {
        let wasPending = state.withLock { state in
            state.unsaved.remove(id)
            return state.take(id) != nil
        }
        return queue.sync { tryToRemove(id) } || wasPending
    }

    private func tryToRemove(_ id: String) -> Bool {
        do {
            let wasThere = try tier.remove(id)
            state.withLock { _ = $0.doomed.remove(id) }
            return wasThere
        } catch {
            state.withLock { _ = $0.doomed.insert(id) }
            if !(error is TierUnavailable) {
                report("session \(id) was not removed from the \(tier.kind.rawValue) tier, and will be: \(error)")
            }
            return false
        }
    }

    /// Whether a session was to be removed and is still there.
    func isDoomed(_ id: String) -> Bool {
        state.withLock { $0.doomed.contains(id) }
    }

    /// Removes what is old or was to be removed, and tells how many sessions are left; nil when the tier cannot tell.
    func tidy() -> Int? {
        do {
            try tier.removeExpired()
            let count = try tier.count()
            for id in state.withLock({ $0.doomed }) { _ = tryToRemove(id) }
            return count
        } catch {
            if !(error is TierUnavailable) {
                report("old sessions of the \(tier.kind.rawValue) tier were not removed: \(error)")
            }
            return nil
        }
    }

    /// Runs something behind all that was to be written.
    func afterAll(_ body: @escaping @Sendable () -> Void) {
        queue.async(execute: body)
    }
}
