import Core
import Dispatch
import KVCache
import Synchronization

/// What other threads tell the engine thread.
enum Command: Sendable {
    case submit(GenerationRequest, any GenerationReceiver)
    case cancel(RequestID)
    case change(RequestID, RequestChange, @Sendable (RequestStatus?) -> Void)
    /// A session is on its way back from a slower tier: some of it came, or nothing more will.
    case arriving(ArrivingSnapshot.Event)
    /// A session came back from a slower tier.
    case restore(RestoredSession, session: String)
    case forget(session: String)
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

    /// Returns false when the engine has ended and nobody will ever take the command.
    func post(_ command: Command) -> Bool {
        let (accepted, mustWake) = state.withLock { state in
            guard !state.isClosed else { return (false, false) }
            state.commands.append(command)
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
