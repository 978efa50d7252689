import Core
import Dispatch
import Foundation
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
    private let ended = DispatchGroup()
    private let outbox: DispatchQueue

    /// Starts the engine thread.
    ///
    /// - Parameters:
    ///   - runtime: from now on the engine thread's own.
    ///   - outbox: where receivers are called; a serial queue.
    public init(
        runtime: sending ModelRuntime,
        limits: SchedulerLimits,
        sessions: SessionLimits,
        outbox: DispatchQueue
    ) {
        self.outbox = outbox
        let inbox = inbox
        let directory = directory
        let ended = ended
        ended.enter()
        let owned = Owned(runtime: runtime)
        let thread = Thread {
            var loop = StepLoop(
                runtime: owned.runtime,
                limits: limits,
                sessions: SessionStore(capacity: sessions.count, timeToLive: sessions.timeToLive),
                directory: directory,
                outbox: Outbox(queue: outbox)
            )
            Self.run(&loop, inbox: inbox)
            // Behind the last events, so that nobody waiting for the end misses one.
            outbox.async { ended.leave() }
        }
        thread.name = "engine"
        thread.stackSize = 8 << 20
        thread.start()
    }

    public func submit(_ request: GenerationRequest, to receiver: any GenerationReceiver) {
        guard !inbox.post(.submit(request, receiver)) else { return }
        outbox.async { receiver.receive([.failed(.shuttingDown)]) }
    }

    public func cancel(_ id: RequestID) {
        _ = inbox.post(.cancel(id))  // an engine that has ended runs nothing to cancel
    }

    public func change(
        _ id: RequestID,
        to change: RequestChange,
        reply: @escaping @Sendable (RequestStatus?) -> Void
    ) {
        outbox.async { reply(nil) }
    }

    public func sessionTokens(_ id: String) -> [TokenID] {
        directory[id]
    }

    public func sessions() -> [SessionSummary] { [] }

    public func deleteSession(_ id: String) -> Bool { false }

    /// Takes no new requests (`shuttingDown`), finishes those it has, then ends.
    public func drain() {
        _ = inbox.post(.drain)
    }

    /// Calls `done` once, on `queue`, when the engine thread has ended and its last events are delivered.
    public func whenEnded(queue: DispatchQueue, _ done: @escaping @Sendable () -> Void) {
        ended.notify(queue: queue, execute: done)
    }

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
                    loop.submit(request, to: receiver)
                case .cancel(let id):
                    loop.cancel(id, now: .now)
                case .drain:
                    isDraining = true
                case .stop:
                    isStopped = true
                }
            }
            if !isStopped { loop.step(now: .now) }
        }
        for case .submit(_, let receiver) in inbox.close() { loop.refuse(.shuttingDown, receiver: receiver) }
        loop.failAll(.shuttingDown, now: .now)
        loop.flush()
    }
}
