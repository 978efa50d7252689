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

    func sessionTokens(_ id: String) -> [TokenID] {
        state.withLock { $0.sessions[id] ?? [] }
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

    func sessionTokens(_ id: String) -> [TokenID] { [] }
}

extension [GenerationEvent] {
    static func admitted(chains: Int = 4, cached: Int = 0, reason: ChainReason = .unconstrained) -> Self {
        [.admitted(Admission(cachedTokens: cached, chains: chains, reason: reason))]
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
