import Dispatch
import Foundation
import Synchronization

/// A thread that talks to Redis on one connection, one job after the other, and the circuit breaker before it.
///
/// Callers wait, but never longer than they say: a job that is not done by then is given up. The thread is a real one, since
/// callers block threads of Dispatch, and it must not need one of these to go on. Who asks for a small thing may borrow the
/// connection while it is idle (`runHere`): to wake the thread and to be woken by it takes as long as the exchange itself.
public final class RedisLane: Sendable {
    private let jobs: RedisJobs
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
        jobs = RedisJobs(RedisConnection(endpoint, connectTimeout: connectTimeout))
        let jobs = jobs
        let thread = Thread {
            while let (job, connection) = jobs.next() {
                job.run(connection) { jobs.giveBack(connection) }
            }
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
        let deadline = RedisDeadline(.now + limit)
        return try guarded { () throws(RedisError) in try runOnThread(deadline, body) }
    }

    /// The same on the caller's own thread, if the connection stands and nobody uses it or waits for it.
    ///
    /// - Parameter body: run a second time, on the lane's thread, if the connection turns out to be broken: to make a new one
    ///   may take a look-up of the host's name, which no deadline ends.
    func runHere<Result: Sendable>(
        startingWith limit: Duration,
        _ body: @escaping @Sendable (RedisConnection, RedisDeadline) throws(RedisError) -> Result
    ) throws(RedisError) -> Result {
        let deadline = RedisDeadline(.now + limit)
        return try guarded { () throws(RedisError) in
            if let connection = jobs.borrow() {
                let result = Swift.Result { () throws(RedisError) in try body(connection, deadline) }
                jobs.giveBack(connection)
                switch result {
                case .failure(.unreachable): break
                case .success, .failure: return try result.get()
                }
            }
            return try runOnThread(deadline, body)
        }
    }

    private func runOnThread<Result: Sendable>(
        _ deadline: RedisDeadline,
        _ body: @escaping @Sendable (RedisConnection, RedisDeadline) throws(RedisError) -> Result
    ) throws(RedisError) -> Result {
        let job = RedisJob(deadline: deadline, body: body)
        jobs.add(job)
        return try job.wait()
    }

    /// Does something if the breaker permits it, and tells the breaker how it went.
    private func guarded<Result>(_ body: () throws(RedisError) -> Result) throws(RedisError) -> Result {
        guard note({ $0.permits(now: .now) }, nil) else { throw .leftAlone }
        do throws(RedisError) {
            let result = try body()
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

/// Jobs that wait for a lane's thread, in order, and the connection while nobody has it.
private final class RedisJobs: Sendable {
    private struct State {
        var waiting: [any RunnableJob] = []
        var idle: RedisConnection?
        var isClosed = false
    }

    private let state: Mutex<State>
    /// Signalled at least once for each moment at which a job and the connection are there.
    private let arrived = DispatchSemaphore(value: 0)

    init(_ connection: RedisConnection) {
        state = Mutex(State(idle: connection))
    }

    func add(_ job: any RunnableJob) {
        state.withLock { $0.waiting.append(job) }
        arrived.signal()
    }

    func close() {
        state.withLock { $0.isClosed = true }
        arrived.signal()
    }

    /// Waits for the next one, and for the connection; nil when the lane is gone.
    func next() -> (any RunnableJob, RedisConnection)? {
        while true {
            arrived.wait()
            let (isClosed, connection, job) = state.withLock { state in
                guard !state.isClosed, !state.waiting.isEmpty, let connection = state.idle.take() else {
                    return (state.isClosed, nil as RedisConnection?, nil as (any RunnableJob)?)
                }
                return (false, connection, state.waiting.removeFirst())
            }
            if isClosed { return nil }
            if let connection, let job { return (job, connection) }
        }
    }

    /// The connection, if it stands and nobody waits for it.
    func borrow() -> RedisConnection? {
        state.withLock { state in
            guard state.waiting.isEmpty, state.idle?.isOpen == true else { return nil }
            state.idle?.isBorrowed = true
            return state.idle.take()
        }
    }

    func giveBack(_ connection: RedisConnection) {
        connection.isBorrowed = false
        let isAwaited = state.withLock { state in
            state.idle = connection
            return !state.waiting.isEmpty
        }
        if isAwaited { arrived.signal() }
    }
}

private protocol RunnableJob: Sendable {
    /// On the lane's thread.
    ///
    /// - Parameter giveBack: called once, when the job needs the connection no longer: before its caller hears of it, who may
    ///   want to borrow it next.
    func run(_ connection: RedisConnection, giveBack: () -> Void)
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

    func run(_ connection: RedisConnection, giveBack: () -> Void) {
        if case .abandoned = state.withLock({ $0 }) { return giveBack() }
        let body = body
        let deadline = deadline
        let result = Swift.Result { () throws(RedisError) in try body(connection, deadline) }
        giveBack()
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
