/// What answers requests. The transport calls it, and knows nothing else of the application.
///
/// All calls come from a queue that serves many connections: none may block. Work that takes longer than about a
/// millisecond belongs on another thread; the responder may be used from any.
public protocol RequestHandler: Sendable {
    /// An answer that the head alone decides (404, 405, 401, 413, 415), before the body is read and before
    /// `100 Continue` is sent; nil to go on. The transport drains the body, or closes the connection when that is long
    /// or the client waits for 100.
    func earlyAnswer(to head: RequestHead, from peer: PeerAddress) -> Response?

    /// Answers a complete request, now or later, by way of `responder`. Methods that no RFC defines never get here
    /// (501), nor does CONNECT; TRACE does, and must be answered 405.
    func handle(_ request: Request, _ responder: any Responder)

    /// The answer to a request that the transport refuses: the handler has not seen it, and never will.
    func answer(to fault: Fault, refusing request: RefusedRequest) -> Response

    /// The answer in place of one that the handler owes or that cannot be written.
    func answer(to fault: Fault) -> Response
}

extension RequestHandler {
    public func earlyAnswer(to head: RequestHead, from peer: PeerAddress) -> Response? { nil }

    public func answer(to fault: Fault, refusing request: RefusedRequest) -> Response { answer(to: fault) }

    public func answer(to fault: Fault) -> Response {
        Response(fault.status, text: fault.message + "\n", headers: fault.headers)
    }
}

/// Why the transport answers in place of the handler.
public struct Fault: Sendable, Equatable {
    public var status: HTTPStatus
    /// What was wrong and what would be right, for the client's eyes.
    public var message: String
    /// Fields that the answer should carry, such as `Retry-After`.
    public var headers: HTTPHeaders

    public init(_ status: HTTPStatus, _ message: String, headers: HTTPHeaders = [:]) {
        self.status = status
        self.message = message
        self.headers = headers
    }
}
