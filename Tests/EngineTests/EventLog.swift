import Core
import Dispatch
import Synchronization

/// Keeps the events of one request, for tests.
final class EventLog: GenerationReceiver {
    private let events = Mutex<[GenerationEvent]>([])
    private let ended = DispatchSemaphore(value: 0)

    func receive(_ new: [GenerationEvent]) {
        events.withLock { $0 += new }
        for event in new {
            switch event {
            case .finished, .failed: ended.signal()
            case .admitted, .promptLogprobs, .token: break
            }
        }
    }

    /// Waits for the last event; false after ten seconds.
    func waitForEnd() -> Bool {
        ended.wait(timeout: .now() + 10) == .success
    }

    var all: [GenerationEvent] { events.withLock { $0 } }

    var tokens: [GeneratedToken] {
        all.compactMap { if case .token(let token) = $0 { token } else { nil } }
    }

    var admission: Admission? {
        all.compactMap { if case .admitted(let admission) = $0 { admission } else { nil } }.first
    }

    var finish: FinishReason? {
        all.compactMap { if case .finished(let reason) = $0 { reason } else { nil } }.first
    }

    var failure: GenerationFailure? {
        all.compactMap { if case .failed(let failure) = $0 { failure } else { nil } }.first
    }

    var promptLogprobs: [TokenLogprobs?]? {
        all.compactMap { if case .promptLogprobs(let entries) = $0 { entries } else { nil } }.first
    }
}
