import Dispatch
import Foundation
import Synchronization

/// A thread that talks to Redis on one connection, one job after the other, and the circuit breaker before it.
///
/// Callers wait, but never longer than they say: a job that is not done by then is given up. The thread is a real one, since
/// callers block threads of Dispatch, and it must not need one of these to go on.
public final class RedisLane: Sendable {
    private let jobs = RedisJobs()
    private let breaker: Mutex<CircuitBreaker>
    private let changed: @Sendable (CircuitBreaker.State, RedisError?) -> Void

    /// - Parameters:
    ///   - name: of the thread.
    ///   - changed: hears when the breaker opens, is half open and closes; with the error that opened it.
    public init(
        name: String,
        endpoint: RedisEndpoint,
        connectTimeout: Duration,
        rules: CircuitBreaker.Rules,
        changed: @escaping @Sendable (CircuitBreaker.State, RedisError?) -> Void
    ) {
        breaker = Mutex(CircuitBreaker(rules))
        self.changed = changed
        let jobs = jobs
        let thread = Thread {
            let connection = RedisConnection(endpoint, connectTimeout: connectTimeout)
            while let job = jobs.next() { job.run(connection) }
        }
        thread.name = name
        thread.start()
    }

    deinit { jobs.close() }

    /// Runs a job on the thread and waits for its result.
    ///
    /// - Parameters:
    ///   - limit: the most that the caller waits.
    ///   - body: gets the deadline to give to every exchange.
    /// - Throws: ``RedisError``; `leftAlone` at once while the breaker is open.
    func run<Result: Sendable>(
        within limit: Duration,
        _ body: @escaping @Sendable (RedisConnection, ContinuousClock.Instant) throws(RedisError) -> Result
    ) throws(RedisError) -> Result {
        try run(startingWith: limit) { (redis, deadline) throws(RedisError) in try body(redis, deadline.instant) }
    }

    /// The same for a job that knows only on its way how much there is to do, and then puts its deadline off.
    func run<Result: Sendable>(
        startingWith limit: Duration,
        _ body: @escaping @Sendable (RedisConnection, RedisDeadline) throws(RedisError) -> Result
    ) throws(RedisError) -> Result {
        guard note({ $0.permits(now: .now) }, nil) else { throw .leftAlone }
        let job = RedisJob(deadline: RedisDeadline(.now + limit), body: body)
        jobs.add(job)
        do throws(RedisError) {
            let result = try job.wait()
            note({ $0.succeeded() }, nil)
            return result
        } catch {
            note({ error.isOutage ? $0.failed(now: .now) : $0.succeeded() }, error)
            throw error
        }
    }

    /// Changes the breaker, and tells what it became.
    private func note<Result: Sendable>(_ change: (inout CircuitBreaker) -> Result, _ error: RedisError?) -> Result {
        let (result, state) = breaker.withLock { breaker in
            let old = breaker.state
            let result = change(&breaker)
            return (result, old.isSameKind(as: breaker.state) ? nil : breaker.state)
        }
        if let state { changed(state, error) }
        return result
    }
}

extension CircuitBreaker.State {
    fileprivate func isSameKind(as other: Self) -> Bool {
        switch (self, other) {
        case (.closed, .closed), (.open, .open), (.halfOpen, .halfOpen): true
        default: false
        }
    }
}

/// When a job must be done.
final class RedisDeadline: Sendable {
    private let state: Mutex<ContinuousClock.Instant>

    init(_ instant: ContinuousClock.Instant) { state = Mutex(instant) }

    var instant: ContinuousClock.Instant { state.withLock { $0 } }

    /// Gives the job, which has met its deadline so far, so much time from now on.
    func putOff(by time: Duration) { state.withLock { $0 = .now + time } }
}

/// Jobs that wait for a lane's thread, in order.
private final class RedisJobs: Sendable {
    private struct State {
        var waiting: [any RunnableJob] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let arrived = DispatchSemaphore(value: 0)

    func add(_ job: any RunnableJob) {
        state.withLock { $0.waiting.append(job) }
        arrived.signal()
    }

    func close() {
        state.withLock { $0.isClosed = true }
        arrived.signal()
    }

    /// Waits for the next one; nil when the lane is gone.
    func next() -> (any RunnableJob)? {
        arrived.wait()
        return state.withLock { state in
            state.isClosed || state.waiting.isEmpty ? nil : state.waiting.removeFirst()
        }
    }
}

private protocol RunnableJob: Sendable {
    /// On the lane's thread.
    func run(_ connection: RedisConnection)
}

/// What a caller wants done, and where the result goes.
private final class RedisJob<Result: Sendable>: RunnableJob {
    private enum State {
        case waiting
        case done(Swift.Result<Result, RedisError>)
        /// The caller has left.
        case abandoned
    }

    private let deadline: RedisDeadline
    private let body: @Sendable (RedisConnection, RedisDeadline) throws(RedisError) -> Result
    private let state = Mutex(State.waiting)
    private let done = DispatchSemaphore(value: 0)

    init(
        deadline: RedisDeadline,
        body: @escaping @Sendable (RedisConnection, RedisDeadline) throws(RedisError) -> Result
    ) {
        self.deadline = deadline
        self.body = body
    }

    func run(_ connection: RedisConnection) {
        if case .abandoned = state.withLock({ $0 }) { return }
        let body = body
        let deadline = deadline
        let result = Swift.Result { () throws(RedisError) in try body(connection, deadline) }
        state.withLock { state in
            if case .waiting = state { state = .done(result) }
        }
        done.signal()
    }

    /// A little longer than the deadline: the thread says better what is wrong.
    func wait() throws(RedisError) -> Result {
        var limit: ContinuousClock.Instant
        repeat {
            limit = deadline.instant
            let left = (limit - .now) / .milliseconds(1) + 5
            if done.wait(timeout: .now() + .microseconds(Int(max(0, left) * 1000))) == .success { break }
        } while limit < deadline.instant
        let final = state.withLock { state in
            if case .waiting = state { state = .abandoned }
            return state
        }
        guard case .done(let result) = final else { throw .timedOut }
        return try result.get()
    }
}
