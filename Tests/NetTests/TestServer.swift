import Glibc
import HTTP1
import Logging
import Net
import Synchronization
import TestSupport

/// A server on a port of its own with a handler made of closures; stopped when it goes out of scope.
final class TestServer: Sendable {
    typealias Handle = @Sendable (Request, any Responder) -> Void

    struct Handler: RequestHandler {
        var early: @Sendable (RequestHead) -> Response? = { _ in nil }
        var handle: Handle
        let refused: Box<[RefusedRequest]>

        func earlyAnswer(to head: RequestHead, from peer: PeerAddress) -> Response? { early(head) }
        func handle(_ request: Request, _ responder: any Responder) { handle(request, responder) }

        func answer(to fault: Fault, refusing request: RefusedRequest) -> Response {
            refused.update { $0.append(request) }
            return answer(to: fault)
        }
    }

    let server: HTTPServer
    let port: UInt16
    /// Requests that the transport answered for the handler.
    let refused = Box<[RefusedRequest]>([])
    /// What the server logged at the level info or above.
    let lines = Box<[String]>([])

    init(
        _ configure: (inout NetConfiguration) -> Void = { _ in },
        early: @escaping @Sendable (RequestHead) -> Response?,
        handle: @escaping Handle = { $1.respond(Response(.ok, text: $0.head.path)) }
    ) throws {
        var configuration = NetConfiguration()
        configure(&configuration)
        let log = Logger(label: "test") { [lines] _ in LineCollector(lines: lines) }
        server = HTTPServer(
            configuration: configuration,
            handler: Handler(early: early, handle: handle, refused: refused),
            log: log
        )
        guard case .tcp(_, let port) = try server.listen(on: .tcp(host: "127.0.0.1", port: 0)) else {
            throw RawClient.Failure.cannotConnect(0)
        }
        self.port = port
    }

    convenience init(_ configure: (inout NetConfiguration) -> Void = { _ in }) throws {
        try self.init(configure, early: { _ in nil })
    }

    convenience init(_ configure: (inout NetConfiguration) -> Void = { _ in }, handle: @escaping Handle) throws {
        try self.init(configure, early: { _ in nil }, handle: handle)
    }

    deinit { server.stop() }

    func client(receiveBuffer: Int32? = nil) throws -> RawClient {
        let client = try RawClient(port: port, receiveBuffer: receiveBuffer)
        client.owner = self
        return client
    }
}

/// Waits until `condition` holds; false when it does not within `patience`.
func eventually(within patience: Duration = RawClient.patience, _ condition: () -> Bool) -> Bool {
    let end = ContinuousClock.now + patience
    while !condition() {
        if ContinuousClock.now > end { return false }
        usleep(2000)
    }
    return true
}

/// A place where closures of a test leave values for it.
final class Box<Value: Sendable>: Sendable {
    private let storage: Mutex<Value>

    init(_ value: Value) { storage = Mutex(value) }

    var value: Value { storage.withLock { $0 } }

    func update(_ body: @Sendable (inout Value) -> Void) { storage.withLock { body(&$0) } }
}

extension String {
    /// A GET request for this path.
    var get: String { "GET \(self) HTTP/1.1\r\nHost: test\r\n\r\n" }
}

/// Keeps lines in the place of writing them.
private struct LineCollector: LogHandler {
    let lines: Box<[String]>
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    init(lines: Box<[String]>) {
        self.lines = lines
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        lines.update { $0.append("\(event.level): \(event.message)") }
    }
}
