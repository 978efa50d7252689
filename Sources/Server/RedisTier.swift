import Core
import Engine
import Metrics
import Redis
import Tensor

/// Redis as a tier of sessions that replicas share, and what it does as metrics.
struct RedisTier: SessionTier {
    private let snapshots: RedisSnapshots
    private let metrics: RedisMetrics
    private let now: @Sendable () -> Duration

    /// - Parameters:
    ///   - now: the time since 1970
    ///   - report: hears when Redis is left alone and when it works again, as a sentence for the log.
    init(
        _ settings: RedisSnapshots.Settings,
        metrics: RedisMetrics,
        now: @escaping @Sendable () -> Duration,
        report: @escaping @Sendable (String) -> Void
    ) {
        self.metrics = metrics
        self.now = now
        let place = settings.endpoint.place
        snapshots = RedisSnapshots(settings, now: now) { lane, state, error in
            metrics.set(.init(state), of: .init(lane))
            switch state {
            case .open:
                let problem = error.map { ": \($0)" } ?? ""
                report("Redis at \(place) is left alone for \(settings.breaker.pause) (\(lane.rawValue))\(problem)")
            case .closed: report("Redis at \(place) works (\(lane.rawValue))")
            case .halfOpen: break
            }
        }
    }

    var kind: SessionSummary.Tier { .redis }
    var isShared: Bool { true }

    func store(_ id: String, _ snapshot: SharedBytes, isLate: Bool) throws -> StoreResult {
        try measured(.store) {
            let result = try snapshots.store(id, snapshot, isLate: isLate)
            switch result.outcome {
            case .written:
                metrics.bytesWritten.add(result.bytes)
                return (.stored, .ok)
            case .leased: return (.busy, .busy)
            case .superseded: return (.outdated, .busy)
            }
        }
    }

    func load(_ id: String, watcher: @escaping SharedBytes.Watcher) throws -> SharedBytes? {
        guard case .bytes(let bytes) = try load(id, unlessKnown: false, watcher) else { return nil }
        return bytes
    }

    func loadForeign(_ id: String, watcher: @escaping SharedBytes.Watcher) throws -> ForeignSnapshot {
        try load(id, unlessKnown: true, watcher)
    }

    private func load(
        _ id: String,
        unlessKnown: Bool,
        _ watcher: @escaping SharedBytes.Watcher
    ) throws -> ForeignSnapshot {
        try measured(.lookup) {
            switch try snapshots.load(id, unlessKnown: unlessKnown, watcher: watcher) {
            case .nothing: return (.none, .nothing)
            case .known: return (.ownIsNewest, .nothing)
            case .snapshot(let bytes):
                metrics.bytesRead.add(bytes.count)
                return (.bytes(bytes), .ok)
            }
        }
    }

    func remove(_ id: String) throws -> Bool {
        try measured(.remove) {
            let wasThere = try snapshots.remove(id)
            return (wasThere, wasThere ? .ok : .nothing)
        }
    }

    /// Redis does so itself.
    func removeExpired() {}

    func list() throws -> [StoredSession] {
        let now = now()
        return try measured(.list) {
            let entries = try snapshots.list()
            let sessions = entries.map {
                StoredSession(id: $0.name, bytes: $0.byteCount, idle: max(0, (now - $0.written) / .seconds(1)))
            }
            return (sessions, .ok)
        }
    }

    func count() throws -> Int {
        try measured(.list) { (try snapshots.count(), .ok) }
    }

    private func measured<Result>(
        _ operation: RedisMetrics.Operation,
        _ body: () throws -> (Result, RedisMetrics.Outcome)
    ) throws -> Result {
        let start = ContinuousClock.now
        do {
            let (result, outcome) = try body()
            metrics.count(operation, outcome, .now - start)
            return result
        } catch let error as RedisError {
            metrics.count(operation, .init(error), .now - start)
            throw error == .leftAlone ? TierUnavailable() : error
        }
    }
}

extension RedisMetrics.Outcome {
    fileprivate init(_ error: RedisError) {
        switch error {
        case .timedOut: self = .timeout
        case .refused: self = .refused
        case .leftAlone: self = .skipped
        case .unreachable, .denied, .unexpected: self = .failed
        }
    }
}

extension RedisMetrics.Lane {
    fileprivate init(_ lane: RedisSnapshots.Lane) {
        switch lane {
        case .read: self = .read
        case .write: self = .write
        }
    }
}

extension RedisMetrics.Breaker {
    fileprivate init(_ state: CircuitBreaker.State) {
        switch state {
        case .closed: self = .closed
        case .halfOpen: self = .halfOpen
        case .open: self = .open
        }
    }
}
