import Dispatch
import HTTP1
import Logging
import Synchronization
import TLS

/// An HTTP/1.1 server on Dispatch.
///
/// ```swift
/// let server = HTTPServer(configuration: NetConfiguration(), handler: handler, log: log)
/// let address = try server.listen(on: .tcp(host: "127.0.0.1", port: 0))
/// ...
/// server.drain(within: .seconds(30)) { exit(0) }
/// ```
/// It runs until it is drained or stopped; letting go of it does neither.
public final class HTTPServer: Sendable {
    private enum State: Sendable {
        case running([Listener])
        case draining
    }

    private let core: ServerCore
    private let lanes: [Lane]
    private let state = Mutex(State.running([]))

    public init(configuration: NetConfiguration, handler: any RequestHandler, log: Logger) {
        let core = ServerCore(configuration: configuration, handler: handler, log: log)
        self.core = core
        lanes = (0..<max(configuration.lanes, 1)).map { Lane(core: core, number: $0) }
        for lane in lanes { lane.start() }
    }

    /// Connections that hold a descriptor at this moment.
    public var connectionCount: Int { core.openConnections.load(ordering: .relaxed) }

    /// Starts to accept on one more address.
    ///
    /// - Parameter credentials: what to show to clients of TLS; nil for plain HTTP. They may be reloaded at any time.
    /// - Returns: the address, with the port that the kernel chose in place of port 0.
    /// - Throws: `ListenError`, whose description says what is in the way and what would be right.
    /// - Precondition: neither `drain` nor `stop` was called.
    @discardableResult
    public func listen(
        on address: ListenAddress,
        options: ListenOptions = ListenOptions(),
        credentials: TLSCredentials? = nil
    ) throws(ListenError) -> ListenAddress {
        let socket = try listeningSocket(on: address, options: options)
        let listener = Listener(socket, credentials: credentials, core: core, lanes: lanes)
        state.withLock { state in
            guard case .running(let listeners) = state else { preconditionFailure("listen after drain") }
            state = .running(listeners + [listener])
        }
        return listener.address
    }

    /// Goes down gracefully: stops accepting, closes idle connections, lets requests in flight have their answers (with
    /// `Connection: close`), and closes by force what is left after `limit`.
    ///
    /// - Parameter completion: called once, on a queue of its own, when no connection is left.
    public func drain(within limit: Duration, completion: @escaping @Sendable () -> Void) {
        closeListeners()
        for lane in lanes { lane.drain() }
        let stop = DispatchWorkItem { [lanes] in
            for lane in lanes { lane.stop() }
        }
        let queue = DispatchQueue(label: "catena.net.drain")
        queue.asyncAfter(deadline: .now() + .nanoseconds(Int(limit.nanoseconds)), execute: stop)
        core.activity.notify(queue: queue) { [lanes] in
            stop.cancel()
            for lane in lanes { lane.stop() }
            completion()
        }
    }

    /// Closes everything at once; requests in flight are cancelled.
    ///
    /// - Parameter completion: called once, on a queue of its own, when no connection is left.
    public func stop(completion: @escaping @Sendable () -> Void = {}) {
        closeListeners()
        for lane in lanes { lane.stop() }
        core.activity.notify(queue: DispatchQueue(label: "catena.net.stop"), execute: completion)
    }

    private func closeListeners() {
        let listeners = state.withLock { state -> [Listener] in
            guard case .running(let listeners) = state else { return [] }
            state = .draining
            return listeners
        }
        for listener in listeners { listener.close() }
    }
}
