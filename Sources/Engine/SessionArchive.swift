import Core
import Dispatch
import Foundation
import KVCache
import Synchronization
import Tensor

/// Keeps sessions in slower tiers: written behind every finished request, read when a session is not in memory, or when
/// another replica has gone on with it.
///
/// The engine thread only copies a session's blocks; encoding, checksums and the tiers' work are done on queues, one for each
/// tier. When writing falls behind by more than a tier's limit, snapshots are left out and said so: a lost snapshot costs a
/// prefill, never an answer. What was left out or failed is written later, if the session is still in memory then.
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

    /// A tier and the most bytes of sessions that wait to be written to it.
    public struct Place: Sendable {
        public var tier: any SessionTier
        public var pendingLimit: Int

        public init(_ tier: any SessionTier, pendingLimit: Int) {
            self.tier = tier
            self.pendingLimit = pendingLimit
        }
    }

    private let writers: [TierWriter]
    private let identity: Identity
    private let pieceBytes: Int
    private let report: @Sendable (String) -> Void

    /// - Parameters:
    ///   - places: the fastest tier first. All get every session.
    ///   - pieceBytes: of a session that is read, so many go to the engine thread at once at least.
    ///   - report: hears what went wrong, as a sentence for the log.
    public init(
        places: [Place],
        identity: Identity,
        pieceBytes: Int = 1 << 20,
        report: @escaping @Sendable (String) -> Void
    ) {
        writers = places.map { TierWriter($0.tier, limit: $0.pendingLimit, report: report) }
        self.pieceBytes = pieceBytes
        self.identity = identity
        self.report = report
    }

    // MARK: Writing

    /// Takes a copy of a session and writes it soon. Runs on the engine thread, at the speed of a memory copy.
    ///
    /// - Parameter isLate: whether the session may have gone on elsewhere since.
    func save(_ id: String, _ session: SessionStore.Session, from pool: BlockPool, isLate: Bool = false) {
        let computed = min(session.table.tokenCount, session.tokens.count)
        let bytes = pool.layout.blocks(for: computed) * pool.layout.blockBytes
        let takers = writers.filter { writer in
            guard writer.hasRoom(for: bytes, of: id) else {
                report("session \(id) was not written: more than \(writer.limit) bytes wait to be")
                return false
            }
            return true
        }
        guard !takers.isEmpty else { return }
        let snapshot = KVSnapshot(
            name: id,
            salt: session.salt,
            model: identity.fingerprint,
            layout: pool.layout,
            created: Int64(Date().timeIntervalSince1970),
            tokens: session.tokens,
            computedTokens: computed,
            blocks: pool.copyBlocks(of: session.table, tokens: computed)
        )
        for writer in takers { writer.add(id, snapshot, isLate: isLate) }
    }

    /// Sessions that should have been written and were not, which are no longer noted as such.
    ///
    /// - Parameter evenIfFailing: else a tier that fails gives one, to try it.
    func takeUnsaved(most: Int, evenIfFailing: Bool = false) -> Set<String> {
        writers.reduce(into: []) { $0.formUnion($1.takeUnsaved(most: most, evenIfFailing: evenIfFailing)) }
    }

    /// Waits until everything is written, or until time is up.
    ///
    /// - Returns: whether everything is written, or has failed.
    @discardableResult
    func flush(until deadline: DispatchTime = .distantFuture) -> Bool {
        let group = DispatchGroup()
        for writer in writers {
            group.enter()
            writer.afterAll { group.leave() }
        }
        return group.wait(timeout: deadline) == .success
    }

    /// Removes what nobody used for too long, soon, and tells how many sessions are left in each tier; of tiers that do not
    /// answer, nothing.
    func tidy(_ counts: @escaping @Sendable ([SessionSummary.Tier: Int]) -> Void) {
        for writer in writers {
            writer.afterAll {
                if let count = writer.tidy() { counts([writer.tier.kind: count]) }
            }
        }
    }

    // MARK: Reading

    /// The session as it was saved last; nil when no tier has it, or none that fits. May block.
    ///
    /// - Parameter hear: hears of it while it comes, and of others that came to nothing.
    func load(
        _ id: String,
        salt: String?,
        hear: @escaping @Sendable (ArrivingSnapshot.Event) -> Void = { _ in }
    ) -> RestoredSession? {
        if let latest = latest(id) { return latest.salt == salt ? RestoredSession(snapshot: latest) : nil }
        // Other replicas may have gone on where this one's own tiers stopped.
        var rest: [any SessionTier] = []
        for tier in tiers(for: id) {
            switch tier.isShared ? foreign(id, salt, in: tier, hear) : .ownIsNewest {
            case .session(let restored): return restored
            case .ownIsNewest: rest.append(tier)
            case .none: break
            }
        }
        for tier in rest {
            let arriving = ArrivingSnapshot(as: expectation(id, salt), pieceBytes: pieceBytes, hear: hear)
            do {
                if let bytes = try tier.load(id, watcher: arriving.update),
                    let restored = decode(bytes, arriving, id, salt, tier)
                {
                    return restored
                }
            } catch {
                if !(error is TierUnavailable) { reportUnreadable(id, tier, error) }
            }
            arriving.drop()
        }
        return nil
    }

    /// The session as another replica left it, if one has gone on with it since this one had it last. May block.
    func loadForeign(
        _ id: String,
        salt: String?,
        hear: @escaping @Sendable (ArrivingSnapshot.Event) -> Void = { _ in }
    ) -> RestoredSession? {
        guard latest(id) == nil else { return nil }
        for tier in tiers(for: id) where tier.isShared {
            if case .session(let restored) = foreign(id, salt, in: tier, hear) { return restored }
        }
        return nil
    }

    /// Those that may be asked for a session.
    private func tiers(for id: String) -> [any SessionTier] {
        writers.filter { !$0.isDoomed(id) }.map(\.tier)
    }

    /// Asks every writer once: what is being written may be done before it is asked again.
    private func latest(_ id: String) -> KVSnapshot? {
        for writer in writers {
            if let latest = writer.latest(id) { return latest }
        }
        return nil
    }

    private enum Foreign {
        /// Nothing that can be used.
        case none
        case ownIsNewest
        case session(RestoredSession)
    }

    private func foreign(
        _ id: String,
        _ salt: String?,
        in tier: any SessionTier,
        _ hear: @escaping @Sendable (ArrivingSnapshot.Event) -> Void
    ) -> Foreign {
        let arriving = ArrivingSnapshot(as: expectation(id, salt), pieceBytes: pieceBytes, hear: hear)
        do {
            switch try tier.loadForeign(id, watcher: arriving.update) {
            case .none: break
            case .ownIsNewest: return .ownIsNewest
            case .bytes(let bytes):
                if let restored = decode(bytes, arriving, id, salt, tier) { return .session(restored) }
            }
        } catch {
            if !(error is TierUnavailable) { reportUnreadable(id, tier, error) }
        }
        arriving.drop()
        return .none
    }

    private func decode(
        _ bytes: SharedBytes,
        _ arriving: ArrivingSnapshot,
        _ id: String,
        _ salt: String?,
        _ tier: any SessionTier
    ) -> RestoredSession? {
        let arrived = arriving.finish()
        do throws(KVSnapshotError) {
            let snapshot = try KVSnapshot(decoding: bytes, as: expectation(id, salt), summed: arrived.sum)
            return RestoredSession(snapshot: snapshot, arrival: arrived.id)
        } catch {
            reportUnreadable(id, tier, error)
            return nil
        }
    }

    private func expectation(_ id: String, _ salt: String?) -> KVSnapshot.Expectation {
        KVSnapshot.Expectation(
            name: id,
            salt: salt,
            model: identity.fingerprint,
            layout: identity.layout,
            vocabularySize: identity.vocabularySize,
            maxTokens: identity.contextLength + 1
        )
    }

    private func reportUnreadable(_ id: String, _ tier: any SessionTier, _ error: any Error) {
        report("session \(id) is computed again: its \(tier.kind.rawValue) snapshot cannot be used: \(error)")
    }

    /// Forgets a session. Returns whether a tier had it. May block.
    func remove(_ id: String) -> Bool {
        writers.reduce(false) { $1.remove(id) || $0 }
    }

    /// Every session in the tiers. Their tokens are not known before they are read. May block.
    func list() -> [String: SessionSummary] {
        var summaries: [String: SessionSummary] = [:]
        for tier in writers.map(\.tier) {
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
            } catch is TierUnavailable {
            } catch {
                report("the sessions of the \(tier.kind.rawValue) tier cannot be listed: \(error)")
            }
        }
        return summaries
    }
}

/// A session that came back from a slower tier.
struct RestoredSession: Sendable {
    var snapshot: KVSnapshot
    /// Under which its blocks have come to the engine already; nil if none have.
    var arrival: ArrivalID?
}
