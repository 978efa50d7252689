import Core
import Dispatch
import Foundation
import KVCache
import Scheduling

/// Generates answers: one thread that owns scheduler, KV pool and model, and runs one step after the other while there
/// is work. Everything public may be called from any thread and returns at once.
///
/// The thread is a real one and no task: a decode loop in Swift's cooperative pool would starve it.
public final class InferenceEngine: GenerationService {
    /// What sessions may keep.
    public struct SessionLimits: Sendable, Hashable {
        /// The most sessions; the least recently used goes first.
        public var count: Int
        /// Idle sessions are forgotten after this time.
        public var timeToLive: Duration

        public init(count: Int, timeToLive: Duration) {
            self.count = count
            self.timeToLive = timeToLive
        }
    }

    private let inbox = Inbox()
    private let directory = SessionDirectory()
    private let archive: SessionArchive?
    private let ended = DispatchGroup()
    private let outbox: DispatchQueue

    /// What an engine is made with, beside its model.
    public struct Options: Sendable {
        public var limits: SchedulerLimits
        public var policy = ChainPolicy.elastic(ElasticRules())
        public var sessions: SessionLimits
        /// Whether requests find the KV of earlier ones with the same beginning.
        public var sharesPrefixes = true
        /// The most tokens of a sequence.
        public var contextLength: Int
        /// How long measuring the cost model may take, about; zero leaves it to be learned.
        public var calibrationTime = Duration.milliseconds(1500)
        /// Where sessions go beside memory.
        public var archive: SessionArchive?
        public var observer: (any StepObserver)?

        public init(limits: SchedulerLimits, sessions: SessionLimits, contextLength: Int) {
            self.limits = limits
            self.sessions = sessions
            self.contextLength = contextLength
        }
    }

    /// Starts the engine thread.
    ///
    /// - Parameters:
    ///   - runtime: from now on the engine thread's own.
    ///   - outbox: where receivers are called; a serial queue.
    ///   - ready: called once, on `outbox`, when the engine is calibrated and takes its first request, with the measured
    ///     cost of a step. Requests may be submitted before.
    public init(
        runtime: sending ModelRuntime,
        options: Options,
        outbox: DispatchQueue,
        ready: @escaping @Sendable (CostModel) -> Void = { _ in }
    ) {
        self.outbox = outbox
        archive = options.archive
        let inbox = inbox
        let directory = directory
        let ended = ended
        ended.enter()
        let owned = Owned(runtime: runtime)
        let thread = Thread {
            var loop = Self.makeLoop(owned.runtime, options, directory: directory, outbox: outbox)
            let cost = loop.scheduler.cost
            outbox.async { ready(cost) }
            Self.run(&loop, inbox: inbox)
            // Behind the last events, so that nobody waiting for the end misses one.
            outbox.async { ended.leave() }
        }
        thread.name = "engine"
        thread.stackSize = 8 << 20
        thread.start()
    }

    /// The engine thread's state, calibrated.
    private static func makeLoop(
        _ runtime: ModelRuntime,
        _ options: Options,
        directory: SessionDirectory,
        outbox: DispatchQueue
    ) -> StepLoop {
        func loop(_ scheduler: Scheduler, isProbe: Bool) -> StepLoop {
            StepLoop(
                runtime: runtime,
                scheduler: scheduler,
                memory: KVMemory(
                    pool: runtime.pool,
                    sessions: SessionStore(
                        capacity: options.sessions.count,
                        timeToLive: options.sessions.timeToLive
                    ),
                    directory: directory,
                    sharesPrefixes: options.sharesPrefixes && !isProbe
                ),
                outbox: Outbox(queue: outbox),
                archive: options.archive,
                observer: isProbe ? nil : options.observer,
                clock: isProbe ? nil : { .now }
            )
        }
        var cost: CostModel?
        if options.calibrationTime > .zero {
            var probe = loop(Scheduler(limits: options.limits), isProbe: true)
            var calibration = Calibration(
                limits: options.limits,
                contextLength: options.contextLength,
                time: options.calibrationTime,
                clock: { .now }
            )
            cost = calibration.run(&probe)
        }
        return loop(Scheduler(limits: options.limits, cost: cost, policy: options.policy), isProbe: false)
    }

    public func submit(_ request: GenerationRequest, to receiver: any GenerationReceiver) {
        guard !inbox.post(.submit(request, receiver)) else { return }
        outbox.async { receiver.receive([.failed(.shuttingDown)]) }
    }

    public func cancel(_ id: RequestID) {
        // An engine that has ended runs nothing to cancel.
        _ = inbox.post(.cancel(id, afterSteps: inbox.endedSteps))
    }

    public func change(
        _ id: RequestID,
        to change: RequestChange,
        reply: @escaping @Sendable (RequestStatus?) -> Void
    ) {
        guard !inbox.post(.change(id, change, reply)) else { return }
        outbox.async { reply(nil) }
    }

    // MARK: Sessions

    public func sessionTokens(_ id: String, salt: String?) -> [TokenID] {
        guard let entry = directory[id] else {
            guard let restored = archive?.load(id, salt: salt, hear: arriving) else { return [] }
            return restore(restored, id)
        }
        guard entry.salt == salt else { return [] }
        guard let foreign = archive?.loadForeign(id, salt: salt, hear: arriving) else { return entry.tokens }
        // Another replica has gone on with it. Its tokens need not begin with ours: it may have read the text anew, in a turn
        // that came to it before ours was written.
        guard foreign.snapshot.tokens.count > entry.tokens.count else {
            if let arrival = foreign.arrival { arriving(.dropped(arrival)) }
            return entry.tokens
        }
        return restore(foreign, id)
    }

    private func restore(_ restored: RestoredSession, _ id: String) -> [TokenID] {
        _ = inbox.post(.restore(restored, session: id))
        return restored.snapshot.tokens
    }

    @Sendable private func arriving(_ event: ArrivingSnapshot.Event) {
        _ = inbox.post(.arriving(event))
    }

    public func sessions() -> [SessionSummary] {
        var summaries = archive?.list() ?? [:]
        let now = ContinuousClock.now
        for (id, entry) in directory.all {
            summaries[id] = SessionSummary(
                id: id,
                tokens: entry.tokens.count,
                tiers: [.memory] + (summaries[id]?.tiers ?? []),
                bytes: entry.bytes,
                idle: (now - entry.used) / .seconds(1)
            )
        }
        return summaries.values.sorted { $0.id < $1.id }
    }

    public func deleteSession(_ id: String) -> Bool {
        let wasInMemory = directory[id] != nil
        directory.remove(id)
        // The engine thread writes what a step changed after it has told of it: only behind that is there nothing to come.
        let isForgotten = DispatchSemaphore(value: 0)
        if inbox.post(.forget(session: id, done: { isForgotten.signal() })) { isForgotten.wait() }
        let wasArchived = archive?.remove(id) ?? false
        return wasInMemory || wasArchived
    }

    /// Lets sessions go whose time is over, in memory and in the slower tiers. To be called now and then.
    ///
    /// - Parameter counts: hears how many sessions a slower tier holds then; once for each, from its own queue, or never.
    public func tidySessions(_ counts: @escaping @Sendable ([SessionSummary.Tier: Int]) -> Void) {
        if !directory.isEmpty { _ = inbox.post(.tidy) }
        archive?.tidy(counts)
    }

    // MARK: The end

    /// Takes no new requests (`shuttingDown`), finishes those it has, then ends.
    public func drain() {
        _ = inbox.post(.drain)
    }

    /// Calls `done` once, on `queue`, when the engine thread has ended, its last events are delivered and its sessions are
    /// written.
    public func whenEnded(queue: DispatchQueue, _ done: @escaping @Sendable () -> Void) {
        ended.notify(queue: queue) { [archive] in
            archive?.flush(until: .now() + Self.lastWrites)
            done()
        }
    }

    /// The most seconds that writing sessions may take at the end, and as many again for those that failed before. A tier
    /// that hangs must not keep the process.
    private static let lastWrites = 10.0

    /// Ends after the step that runs now; requests that are not done fail with `shuttingDown`.
    public func stop() {
        _ = inbox.post(.stop)
    }

    /// What moves to the engine thread.
    private struct Owned: @unchecked Sendable {  // proof: made from a `sending` value, and used by that thread alone
        let runtime: ModelRuntime
    }

    /// The engine thread: commands, then a step, until told to end.
    private static func run(_ loop: inout StepLoop, inbox: Inbox) {
        var isDraining = false
        var isStopped = false
        while !isStopped && !(isDraining && loop.isIdle) {
            if loop.isIdle { inbox.wait() }
            for command in inbox.take() {
                switch command {
                case .submit(_, let receiver) where isDraining:
                    loop.refuse(.shuttingDown, receiver: receiver)
                case .submit(let request, let receiver):
                    loop.submit(request, to: receiver, now: .now)
                case .cancel(let id, let steps):
                    loop.cancel(id, now: .now, afterSteps: inbox.endedSteps - steps)
                case .change(let id, let change, let reply):
                    loop.change(id, to: change, reply: reply)
                case .arriving(let event):
                    loop.arriving(event)
                case .restore(let restored, let session):
                    loop.restore(restored, session: session, now: .now)
                case .forget(let session, let done):
                    loop.removeSession(session)
                    done()
                case .tidy:
                    loop.saveSomeUnsaved()  // and the step that follows looks for what is old
                case .drain:
                    isDraining = true
                case .stop:
                    isStopped = true
                }
            }
            guard !isStopped else { break }
            loop.step(now: .now)
            inbox.countStep()
        }
        for command in inbox.close() {
            switch command {
            case .submit(_, let receiver): loop.refuse(.shuttingDown, receiver: receiver)
            case .change(let id, let change, let reply): loop.change(id, to: change, reply: reply)
            case .forget(_, let done): done()
            case .cancel, .arriving, .restore, .tidy, .drain, .stop: break
            }
        }
        loop.failAll(.shuttingDown, now: .now)
        loop.flush()
        loop.saveAllUnsaved(until: .now() + lastWrites)
    }
}
