import Core
import Synchronization

/// Whether the server can answer: loading at first, then ready with a model, at the end leaving and draining.
public final class ServiceState: Sendable {
    public enum Phase: Sendable, Hashable {
        case loading
        case ready
        /// Balancers are told to send nothing more; what they still send is answered.
        case leaving
        /// New completions are refused, those that run go on.
        case draining
    }

    /// What answers completions.
    struct Backend: Sendable {
        var model: ServedModel
        var codec: any TextCodec
        var service: any GenerationService
    }

    private struct State {
        var phase = Phase.loading
        var backend: Backend?
    }

    private let state = Mutex(State())

    public init() {}

    public var phase: Phase {
        state.withLock { $0.phase }
    }

    /// The model is loaded; completions are taken from now on, unless the server is already going down.
    public func becomeReady(model: ServedModel, codec: any TextCodec, service: any GenerationService) {
        state.withLock { state in
            state.backend = Backend(model: model, codec: codec, service: service)
            if state.phase == .loading { state.phase = .ready }
        }
    }

    /// The server will go down: `/readyz` says so, while completions are still taken. There is no way back.
    public func leave() {
        state.withLock { if $0.phase != .draining { $0.phase = .leaving } }
    }

    /// The server is going down: new completions are refused, those that run go on. There is no way back.
    public func drain() {
        state.withLock { $0.phase = .draining }
    }

    /// What answers new completions.
    /// - Throws: 503 while loading and from `drain` on.
    func accepting() throws(APIError) -> Backend {
        let state = state.withLock { $0 }
        switch (state.phase, state.backend) {
        case (.draining, _): throw .shuttingDown
        case (_, let backend?): return backend
        case (_, nil): throw .loading
        }
    }

    /// What answers the completions that run, also while draining.
    /// - Throws: 503 while loading.
    func running() throws(APIError) -> Backend {
        guard let backend = state.withLock({ $0.backend }) else { throw .loading }
        return backend
    }

    /// Whether a balancer should send requests.
    /// - Throws: 503 while loading and from `leave` on.
    func checkReady() throws(APIError) {
        switch phase {
        case .loading: throw .loading
        case .ready: return
        case .leaving, .draining: throw .shuttingDown
        }
    }

    /// The model; nil while loading.
    var modelIfLoaded: ServedModel? { state.withLock { $0.backend?.model } }

    /// The model, also while draining.
    /// - Throws: 503 while loading.
    func loadedModel() throws(APIError) -> ServedModel {
        try running().model
    }
}
