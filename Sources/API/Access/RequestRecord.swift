import Dispatch
import Glibc
import Synchronization

/// What is known of a request for the access log, from its arrival on. It is told once, when the answer is complete or
/// nobody waits for it any more. From any thread.
final class RequestRecord: Sendable {
    private struct State {
        var entry: AccessEntry
        var isOver = false
    }

    private let sink: any AccessLogSink
    /// Whether prompts are wanted.
    let takesPrompts: Bool
    /// In nanoseconds of CLOCK_MONOTONIC.
    private let arrival: UInt64
    private let state: Mutex<State>

    init(_ entry: AccessEntry, arrival: UInt64, to sink: any AccessLogSink, takesPrompts: Bool) {
        self.sink = sink
        self.takesPrompts = takesPrompts
        self.arrival = arrival
        state = Mutex(State(entry: entry))
    }

    /// Adds to the entry; nothing once it was told.
    func note(_ change: (inout AccessEntry) -> Void) {
        state.withLock { if !$0.isOver { change(&$0.entry) } }
    }

    /// Tells the entry, the first time.
    func end() {
        let now = DispatchTime.now().uptimeNanoseconds
        let entry: AccessEntry? = state.withLock { state in
            guard !state.isOver else { return nil }
            state.isOver = true
            state.entry.duration = .nanoseconds(now - min(arrival, now))
            return state.entry
        }
        guard var entry else { return }
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        entry.time = time.tv_sec * 1_000_000_000 + time.tv_nsec
        sink.record(entry)
    }
}
