import API
import Core
import Synchronization

/// An engine that does what the test says: it keeps what was submitted and cancelled, and sends events when told to.
final class FakeService: GenerationService {
    struct State {
        var submitted: [GenerationRequest] = []
        var receivers: [any GenerationReceiver] = []
        var cancelled: [RequestID] = []
        var sessions: [String: [TokenID]] = [:]
        var changes: [(id: RequestID, change: RequestChange)] = []
        /// Answers to changes that the test has not let out yet.
        var replies: [@Sendable (RequestStatus?) -> Void] = []
        var summaries: [SessionSummary] = []
    }

    let state = Mutex(State())
    /// Called in `submit`, as an engine that refuses at once would.
    let onSubmit: (@Sendable (GenerationRequest) -> [GenerationEvent])?

    init(onSubmit: (@Sendable (GenerationRequest) -> [GenerationEvent])? = nil) {
        self.onSubmit = onSubmit
    }

    var submitted: [GenerationRequest] { state.withLock { $0.submitted } }
    var cancelled: [RequestID] { state.withLock { $0.cancelled } }

    func submit(_ request: GenerationRequest, to receiver: any GenerationReceiver) {
        state.withLock { state in
            state.submitted.append(request)
            state.receivers.append(receiver)
        }
        if let events = onSubmit?(request) { receiver.receive(events) }
    }

    func cancel(_ id: RequestID) {
        state.withLock { $0.cancelled.append(id) }
    }

    func change(_ id: RequestID, to change: RequestChange, reply: @escaping @Sendable (RequestStatus?) -> Void) {
        state.withLock { state in
            state.changes.append((id, change))
            state.replies.append(reply)
        }
    }

    func sessionTokens(_ id: String, salt: String?) -> [TokenID] {
        state.withLock { $0.sessions[id] ?? [] }
    }

    func sessions() -> [SessionSummary] {
        state.withLock { $0.summaries }
    }

    func deleteSession(_ id: String) -> Bool {
        state.withLock { state in
            guard let index = state.summaries.firstIndex(where: { $0.id == id }) else { return false }
            state.summaries.remove(at: index)
            return true
        }
    }

    var changes: [(id: RequestID, change: RequestChange)] { state.withLock { $0.changes } }

    /// Answers the change with this number.
    func reply(_ status: RequestStatus?, to index: Int = 0) {
        let reply = state.withLock { $0.replies[index] }
        reply(status)
    }

    /// Sends events for the submission with this index.
    func send(_ events: [GenerationEvent], to index: Int = 0) {
        let receiver = state.withLock { $0.receivers[index] }
        receiver.receive(events)
    }
}

/// An engine that hears of the client's going before it hears of the request.
final class OvertakenService: GenerationService {
    let calls = Mutex<[String]>([])
    private let responder: FakeResponder

    init(responder: FakeResponder) {
        self.responder = responder
    }

    func submit(_ request: GenerationRequest, to receiver: any GenerationReceiver) {
        responder.cancel()
        calls.withLock { $0.append("submit \(request.id)") }
    }

    func cancel(_ id: RequestID) {
        calls.withLock { $0.append("cancel \(id)") }
    }

    func change(_ id: RequestID, to change: RequestChange, reply: @escaping @Sendable (RequestStatus?) -> Void) {
        reply(nil)
    }

    func sessionTokens(_ id: String, salt: String?) -> [TokenID] { [] }

    func sessions() -> [SessionSummary] { [] }

    func deleteSession(_ id: String) -> Bool { false }
}

extension [GenerationEvent] {
    static func admitted(
        chains: Int = 4,
        cached: Int = 0,
        reason: ChainReason = .unconstrained,
        after queueTime: Duration = .zero
    ) -> Self {
        [.admitted(Admission(cachedTokens: cached, chains: chains, reason: reason, queueTime: queueTime))]
    }

    /// One event for each token of the text.
    static func text(_ text: String, chains: Int = 4) -> Self {
        tokens(FakeCodec().encode(text), chains: chains)
    }

    static func tokens(_ tokens: [TokenID], chains: Int = 4) -> Self {
        tokens.map { .token(GeneratedToken(id: $0, chains: chains)) }
    }

    static func finished(_ reason: FinishReason) -> Self { [.finished(reason)] }
}
