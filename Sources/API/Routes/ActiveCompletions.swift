import Synchronization

/// The completions that run now. It keeps them alive, and the timer of idle comments finds them here.
final class ActiveCompletions: Sendable {
    private let completions = Mutex<[ObjectIdentifier: RunningCompletion]>([:])

    var count: Int { completions.withLock { $0.count } }

    func insert(_ completion: RunningCompletion) {
        completions.withLock { $0[ObjectIdentifier(completion)] = completion }
    }

    func remove(_ completion: RunningCompletion) {
        completions.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(completion)) }
    }

    /// Has every stream that was silent for `interval` send a comment.
    func pingIdle(at now: ContinuousClock.Instant, interval: Duration) {
        for completion in completions.withLock({ Array($0.values) }) {
            completion.pingIfIdle(at: now, interval: interval)
        }
    }
}
