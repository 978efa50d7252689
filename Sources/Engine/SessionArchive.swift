import Core
import Dispatch
import Foundation
import KVCache
import Synchronization

/// Keeps sessions in slower tiers: written behind every finished request, read when a session is not in memory.
///
/// The engine thread only copies a session's blocks; encoding, checksums and files are done on a queue. A session that
/// changes again before it was written is written once. When writing falls behind by more than ``pendingLimit`` bytes,
/// snapshots are left out and said so: a lost snapshot costs a prefill, never an answer.
public final class SessionArchive: Sendable {
    /// What the snapshots of this server's model must be.
    public struct Identity: Sendable {
        /// Whatever decides the bytes of keys and values: weights, their format, the kernels' arithmetic.
        public var fingerprint: String
        public var layout: BlockLayout
        public var vocabularySize: Int
        public var contextLength: Int

        public init(fingerprint: String, layout: BlockLayout, vocabularySize: Int, contextLength: Int) {
            self.fingerprint = fingerprint
            self.layout = layout
            self.vocabularySize = vocabularySize
            self.contextLength = contextLength
        }
    }

    private struct State {
        /// Not written yet, by session, and their bytes.
        var pending: [String: KVSnapshot] = [:]
        var pendingBytes = 0
        /// On its way to the tiers, which may not have it yet.
        var writing: KVSnapshot?
    }

    private let tiers: [any SessionTier]
    private let identity: Identity
    private let pendingLimit: Int
    private let report: @Sendable (String) -> Void
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "catena.sessions", qos: .utility)

    /// - Parameters:
    ///   - tiers: the fastest first. All get every session.
    ///   - pendingLimit: the most bytes of sessions that wait to be written.
    ///   - report: hears what went wrong, as a sentence for the log.
    public init(
        tiers: [any SessionTier],
        identity: Identity,
        pendingLimit: Int,
        report: @escaping @Sendable (String) -> Void
    ) {
        self.tiers = tiers
        self.identity = identity
        self.pendingLimit = pendingLimit
        self.report = report
    }

    // MARK: Writing

    /// Takes a copy of a session and writes it soon. Runs on the engine thread, at the speed of a memory copy.
    func save(_ id: String, _ session: SessionStore.Session, from pool: BlockPool) {
        let computed = min(session.table.tokenCount, session.tokens.count)
        let bytes = pool.layout.blocks(for: computed) * pool.layout.blockBytes
        guard hasRoom(for: bytes, replacing: id) else {
            return report("session \(id) was not written: more than \(pendingLimit) bytes wait to be")
        }
        let snapshot = KVSnapshot(
            name: id,
            salt: session.salt,
            model: identity.fingerprint,
            layout: pool.layout,
            created: Int64(Date().timeIntervalSince1970),
            tokens: session.tokens,
            computedTokens: computed,
            blocks: pool.copyBlocks(of: session.table, tokens: computed)[...]
        )
        let isFirst = state.withLock { state in
            let old = state.pending.updateValue(snapshot, forKey: id)
            state.pendingBytes += bytes - (old?.blocks.count ?? 0)
            return old == nil
        }
        if isFirst { queue.async { self.write(id) } }
    }

    private func hasRoom(for bytes: Int, replacing id: String) -> Bool {
        state.withLock { $0.pendingBytes - ($0.pending[id]?.blocks.count ?? 0) + bytes <= pendingLimit }
    }

    private func write(_ id: String) {
        let snapshot = state.withLock { state in
            let snapshot = state.pending.removeValue(forKey: id)
            state.pendingBytes -= snapshot?.blocks.count ?? 0
            state.writing = snapshot
            return snapshot
        }
        guard let bytes = snapshot?.encoded() else { return }
        for tier in tiers {
            do { try tier.store(id, bytes) } catch { report("session \(id) was not written: \(error)") }
        }
        state.withLock { $0.writing = nil }
    }

    /// Waits until everything is written.
    func flush() {
        queue.sync {}
    }

    /// Removes what nobody used for too long, soon, and tells how many sessions are left in each tier.
    func tidy(_ counts: @escaping @Sendable ([SessionSummary.Tier: Int]) -> Void) {
        queue.async {
            var left: [SessionSummary.Tier: Int] = [:]
            for tier in self.tiers {
                do {
                    try tier.removeExpired()
                    left[tier.kind] = try tier.list().count
                } catch {
                    self.report("old sessions of the \(tier.kind.rawValue) tier were not removed: \(error)")
                }
            }
            counts(left)
        }
    }

    // MARK: Reading

    /// The session as it was saved last; nil when no tier has it, or none that fits. May block.
    func load(_ id: String, salt: String?) -> KVSnapshot? {
        if let latest = state.withLock({ $0.pending[id] ?? $0.writing.flatMap { $0.name == id ? $0 : nil } }) {
            return latest.salt == salt ? latest : nil
        }
        for tier in tiers {
            do {
                guard let bytes = try tier.load(id) else { continue }
                return try KVSnapshot(
                    decoding: bytes,
                    as: KVSnapshot.Expectation(
                        name: id,
                        salt: salt,
                        model: identity.fingerprint,
                        layout: identity.layout,
                        vocabularySize: identity.vocabularySize,
                        maxTokens: identity.contextLength + 1
                    )
                )
            } catch {
                report("session \(id) is computed again: its \(tier.kind.rawValue) snapshot cannot be used: \(error)")
            }
        }
        return nil
    }

    /// Forgets a session. Returns whether a tier had it. May block.
    func remove(_ id: String) -> Bool {
        var wasThere = state.withLock { state in
            let snapshot = state.pending.removeValue(forKey: id)
            state.pendingBytes -= snapshot?.blocks.count ?? 0
            return snapshot != nil
        }
        // Behind a write that has begun.
        queue.sync {
            for tier in tiers {
                do {
                    if try tier.remove(id) { wasThere = true }
                } catch {
                    report("session \(id) was not removed: \(error)")
                }
            }
        }
        return wasThere
    }

    /// Every session in the tiers. Their tokens are not known before they are read. May block.
    func list() -> [String: SessionSummary] {
        var summaries: [String: SessionSummary] = [:]
        for tier in tiers {
            do {
                for stored in try tier.list() {
                    let fresh = SessionSummary(
                        id: stored.id,
                        tokens: nil,
                        tiers: [],
                        bytes: stored.bytes,
                        idle: stored.idle
                    )
                    summaries[stored.id, default: fresh].tiers.append(tier.kind)
                }
            } catch {
                report("the sessions of the \(tier.kind.rawValue) tier cannot be listed: \(error)")
            }
        }
        return summaries
    }
}
