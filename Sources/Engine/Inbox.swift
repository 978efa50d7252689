import Core
import Dispatch
import KVCache
import Synchronization

/// What other threads tell the engine thread.
enum Command: Sendable {
    case submit(GenerationRequest, any GenerationReceiver)
    /// Carries how many steps had ended when it was posted (`Inbox.endedSteps`).
    case cancel(RequestID, afterSteps: Int)
    case change(RequestID, RequestChange, @Sendable (RequestStatus?) -> Void)
    /// A session is on its way back from a slower tier: some of it came, or nothing more will.
    case arriving(ArrivingSnapshot.Event)
    /// A session came back from a slower tier.
    case restore(RestoredSession, session: String)
    case forget(session: String, done: @Sendable () -> Void)
    /// Look for sessions whose time is over: an idle engine does not by itself.
    case tidy
    /// Take no new requests; end the thread when those already taken are done.
    case drain
    /// End the thread now; what runs is failed with `shuttingDown`.
    case stop
}

/// The one way into the engine thread: commands in order, from any thread, without ever waiting for a step.
final class Inbox: Sendable {
    private struct State {
        var commands: [Command] = []
        var isClosed = false
        /// The engine thread sleeps, or is about to: the next command must wake it.
        var isWaiting = false
    }

    private let state = Mutex(State())
    private let arrived = DispatchSemaphore(value: 0)
    private let steps = Atomic<Int>(0)

    /// Steps of the engine that have ended.
    var endedSteps: Int { steps.load(ordering: .relaxed) }

    /// A step has ended. From the engine thread.
    func countStep() {
        steps.add(1, ordering: .relaxed)
    }

    /// Returns false when the engine has ended and nobody will ever take the command.
    ///
    /// - Parameter command: made while nothing can be taken, so that `endedSteps` in it is that of its arrival.
    func post(_ command: @autoclosure () -> Command) -> Bool {
        let (accepted, mustWake) = state.withLock { state in
            guard !state.isClosed else { return (false, false) }
            state.commands.append(command())
            defer { state.isWaiting = false }
            return (true, state.isWaiting)
        }
        if mustWake { arrived.signal() }
        return accepted
    }

    /// Everything posted since the last take.
    func take() -> [Command] {
        state.withLock { state in
            defer { state.commands = [] }
            return state.commands
        }
    }

    /// Everything posted since the last take; from now on nothing more is accepted.
    func close() -> [Command] {
        state.withLock { state in
            defer { state = State(isClosed: true) }
            return state.commands
        }
    }

    /// Blocks the engine thread until there is something to take.
    func wait() {
        let mustWait = state.withLock { state in
            state.isWaiting = state.commands.isEmpty
            return state.isWaiting
        }
        if mustWait { arrived.wait() }
    }
}
