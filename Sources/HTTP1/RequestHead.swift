/// How the end of a request's body is known (RFC 9112, 6.3). A request without either header has no body.
public enum BodyFraming: Sendable, Hashable {
    case none
    /// `Content-Length`; may be 0.
    case length(Int)
    case chunked
}

/// A request line and its header fields, checked.
public struct RequestHead: Sendable, Equatable {
    public var method: HTTPMethod
    public var target: RequestTarget
    public var version: HTTPVersion
    public var headers: HTTPHeaders
    public var body: BodyFraming
    /// Whether the client wants the connection to last beyond this answer (RFC 9112, 9.3).
    public var keepAlive: Bool
    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110, 10.1.1). Only ever true for 1.1
    /// with a body to come.
    public var expectsContinue: Bool

    public init(
        method: HTTPMethod,
        target: RequestTarget,
        version: HTTPVersion = .http11,
        headers: HTTPHeaders = [:],
        body: BodyFraming = .none,
        keepAlive: Bool = true,
        expectsContinue: Bool = false
    ) {
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
        self.body = body
        self.keepAlive = keepAlive
        self.expectsContinue = expectsContinue
    }

    public var path: String { target.path }
    public var query: String? { target.query }
    /// The host asked for: the absolute target's authority, else `Host`.
    public var authority: String? { target.authority ?? headers["host"] }
    public var hasBody: Bool { body != .none && body != .length(0) }
}
