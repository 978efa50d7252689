/// What the session tier in Redis does. Anybody may write and read, and nobody waits.
public final class RedisMetrics: Sendable {
    public enum Operation: String, Sendable, Hashable, CaseIterable {
        /// Of one session, before a prompt is computed.
        case lookup
        case store
        case remove
        /// Listing and counting sessions.
        case list
    }

    public enum Outcome: String, Sendable, Hashable, CaseIterable {
        /// It was done; a look-up found a snapshot.
        case ok
        /// A look-up found nothing, or nothing that this replica does not have.
        case nothing
        /// Another replica writes the session, or has gone on with it.
        case busy
        /// Nothing came in time.
        case timeout
        /// Redis answered with an error: it is full, or still loading.
        case refused
        /// There is no connection, no access, or what came makes no sense.
        case failed
        /// Not tried, because the circuit breaker is open.
        case skipped = "left_alone"
    }

    /// Redis is asked for look-ups on one connection and for all else on another.
    public enum Lane: String, Sendable, Hashable, CaseIterable {
        case read, write
    }

    public enum Breaker: Int, Sendable, Hashable {
        case closed, halfOpen, open
    }

    private struct Ending: Hashable, Sendable {
        var operation: Operation
        var outcome: Outcome
    }

    private let endings = Counters(
        Operation.allCases.flatMap { operation in
            Outcome.allCases.map { Ending(operation: operation, outcome: $0) }
        }
    )
    private let times = Dictionary(
        uniqueKeysWithValues: Operation.allCases.map { ($0, Histogram(bounds: Bounds.redis)) }
    )
    private let breakers = Dictionary(uniqueKeysWithValues: Lane.allCases.map { ($0, Gauge()) })
    /// Of snapshots, as they stand in Redis.
    public let bytesWritten = Counter()
    /// Of snapshots, as they were before.
    public let bytesRead = Counter()

    public init() {}

    /// An operation has ended. Those that were not tried took no time.
    public func count(_ operation: Operation, _ outcome: Outcome, _ time: Duration) {
        endings[Ending(operation: operation, outcome: outcome)].add()
        if outcome != .skipped { times[operation]?.record(time) }
    }

    public func set(_ breaker: Breaker, of lane: Lane) {
        breakers[lane]?.set(breaker.rawValue)
    }

    public func ended(_ operation: Operation, _ outcome: Outcome) -> Int {
        endings[Ending(operation: operation, outcome: outcome)].value
    }

    func write(to text: inout MetricsText) {
        let operations = "catena_redis_operations_total"
        text.family(operations, .counter, help: "What the server asked Redis for, by how it ended.")
        for operation in Operation.allCases {
            for outcome in Outcome.allCases {
                let labels = [("operation", operation.rawValue), ("outcome", outcome.rawValue)]
                text.sample(operations, labels: labels, ended(operation, outcome))
            }
        }
        let seconds = "catena_redis_operation_seconds"
        text.family(seconds, .histogram, help: "How long the server waited for Redis.")
        for operation in Operation.allCases {
            guard let times = times[operation] else { continue }
            text.sample(seconds, labels: [("operation", operation.rawValue)], times)
        }
        let breaker = "catena_redis_breaker_state"
        text.family(breaker, .gauge, help: "Whether Redis is asked: 0 it is, 1 one request tries, 2 it is left alone.")
        for lane in Lane.allCases {
            text.sample(breaker, labels: [("lane", lane.rawValue)], breakers[lane]?.value ?? 0)
        }
        let bytes = "catena_redis_bytes_total"
        text.family(bytes, .counter, help: "Bytes of session snapshots written to and read from Redis.")
        text.sample(bytes, labels: [("direction", "written")], bytesWritten.value)
        text.sample(bytes, labels: [("direction", "read")], bytesRead.value)
    }
}
