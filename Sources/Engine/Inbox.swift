import Core
import Dispatch
import Synchronization

/// What other threads tell the engine thread.
enum Command: Sendable {
    case submit(GenerationRequest, any GenerationReceiver)
    case cancel(RequestID)
    /// Take no new requests; end the thread when those already taken are done.
    case drain
    /// End the thread now; what runs is failed with `shuttingDown`.
    case stop
}

/// The one way into the engine thread: commands in order, from any thread, without ever waiting for a step.
final class Inbox: Sendable {
    private let commands = Mutex<[Command]>([])
    private let arrived = DispatchSemaphore(value: 0)

    func post(_ command: Command) {
        let wasEmpty = commands.withLock { commands in
            defer { commands.append(command) }
            return commands.isEmpty
        }
        // One signal per filling: a receiver takes everything at once.
        if wasEmpty { arrived.signal() }
    }

    /// Everything posted since the last take, at once.
    func take() -> [Command] {
        commands.withLock { commands in
            defer { commands.removeAll() }
            return commands
        }
    }

    /// Blocks the engine thread until something was posted. May return with nothing to take.
    func wait() {
        arrived.wait()
    }
}
