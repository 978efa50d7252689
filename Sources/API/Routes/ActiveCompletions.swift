import Synchronization

/// The completions that run now. It keeps them alive, the timer of idle comments finds them here, and clients that want
/// to change or cancel one find it by name.
final class ActiveCompletions: Sendable {
    private struct State {
        var running: [ObjectIdentifier: RunningCompletion] = [:]
        /// By the completion's id.
        var byID: [String: RunningCompletion] = [:]
        /// By `X-Request-Id`, which clients choose and may choose twice.
        var byRequestID: [String: [RunningCompletion]] = [:]
    }

    private let state = Mutex(State())

    var count: Int { state.withLock { $0.running.count } }

    func insert(_ completion: RunningCompletion) {
        state.withLock { $0.running[ObjectIdentifier(completion)] = completion }
    }

    /// Has the completion found by name from now on, unless it has ended already. To be called when the engine has all
    /// of its requests: a change that came before them would find nothing to change.
    func publish(_ completion: RunningCompletion) {
        state.withLock { state in
            guard state.running[ObjectIdentifier(completion)] != nil else { return }
            state.byID[completion.id] = completion
            state.byRequestID[completion.requestID, default: []].append(completion)
        }
    }

    func remove(_ completion: RunningCompletion) {
        state.withLock { state in
            state.running.removeValue(forKey: ObjectIdentifier(completion))
            state.byID.removeValue(forKey: completion.id)
            let others = state.byRequestID[completion.requestID]?.filter { $0 !== completion } ?? []
            state.byRequestID[completion.requestID] = others.isEmpty ? nil : others
        }
    }

    /// The caller's completion with this id, or the only one that was sent with this `X-Request-Id`. Others' are not there.
    ///
    /// Ids come first: a client that sends another's completion id as its own `X-Request-Id` gains nothing.
    /// - Throws: 404; 409 when several have the `X-Request-Id`.
    func find(_ name: String, of caller: Caller) throws(APIError) -> RunningCompletion {
        let found = state.withLock { state in
            (state.byID[name].map { [$0] } ?? state.byRequestID[name] ?? []).filter { $0.owner == caller.owner }
        }
        guard let first = found.first else { throw .unknownRequest(name) }
        guard found.count == 1 else { throw .ambiguousRequest(name, count: found.count) }
        return first
    }

    /// Has every stream that was silent for `interval` send a comment.
    func pingIdle(at now: ContinuousClock.Instant, interval: Duration) {
        for completion in state.withLock({ Array($0.running.values) }) {
            completion.pingIfIdle(at: now, interval: interval)
        }
    }
}
