import Core
import Synchronization

/// Changing and cancelling a completion from outside of its own connection.
extension RunningCompletion {
    /// Has the engine change every choice that still runs.
    ///
    /// - Parameter reply: called once: where the choices stand, in the order of their index; empty when none runs any more.
    func change(_ change: RequestChange, reply: @escaping @Sendable ([ChoiceStatus]) -> Void) {
        let running = note(change)
        guard !running.isEmpty else { return reply([]) }
        let gathered = GatheredStatuses(expected: running.count, reply)
        for index in running {
            service.change(submissions[index].request.id, to: change) { status in
                gathered.add(status.map { ChoiceStatus(index: index, status: $0) })
            }
        }
    }

    /// Ends the completion: its own client is told so, and the engine takes its requests back.
    /// - Returns: false when it had ended already.
    func cancel() -> Bool {
        var wasRunning = false
        perform { state in
            wasRunning = true
            fail(.cancelled, .cancelled, after: [], &state)
        }
        return wasRunning
    }
}

/// Where one choice stands.
struct ChoiceStatus: Sendable, Hashable {
    var index: Int
    var status: RequestStatus
}

/// Waits for the answers about all choices.
private final class GatheredStatuses: Sendable {
    private struct State {
        var expected: Int
        var statuses: [ChoiceStatus] = []
    }

    private let state: Mutex<State>
    private let reply: @Sendable ([ChoiceStatus]) -> Void

    init(expected: Int, _ reply: @escaping @Sendable ([ChoiceStatus]) -> Void) {
        state = Mutex(State(expected: expected))
        self.reply = reply
    }

    /// - Parameter status: nil for a choice that has ended.
    func add(_ status: ChoiceStatus?) {
        let complete: [ChoiceStatus]? = state.withLock { state in
            state.expected -= 1
            if let status { state.statuses.append(status) }
            return state.expected == 0 ? state.statuses : nil
        }
        if let complete { reply(complete.sorted { $0.index < $1.index }) }
    }
}
