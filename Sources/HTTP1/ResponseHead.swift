/// What a handler says about its answer. Framing and persistence are the writer's business: `Content-Length`,
/// `Transfer-Encoding`, `Connection` and `Date` must not be among the headers.
public struct ResponseHead: Sendable, Equatable {
    public var status: HTTPStatus
    public var headers: HTTPHeaders
    /// Whether the connection is to be closed after this answer, whatever the client wished.
    public var closesConnection: Bool

    public init(_ status: HTTPStatus, headers: HTTPHeaders = [:], closesConnection: Bool = false) {
        self.status = status
        self.headers = headers
        self.closesConnection = closesConnection
    }
}

/// A head with all of its body.
public struct Response: Sendable, Equatable {
    public var head: ResponseHead
    public var body: [UInt8]

    public init(_ head: ResponseHead, body: [UInt8] = []) {
        self.head = head
        self.body = body
    }

    /// An answer of plain text.
    public init(_ status: HTTPStatus, text: String, headers: HTTPHeaders = [:]) {
        var headers = headers
        headers.set("Content-Type", "text/plain; charset=utf-8")
        self.init(ResponseHead(status, headers: headers), body: Array(text.utf8))
    }
}

/// Why an answer cannot be written. Nothing of it has been.
public enum ResponseError: Error, Sendable, Hashable {
    /// A name that is not a token, or a value with CR, LF, NUL or another control byte in it: header injection.
    case invalidField(name: String)
    /// A field that the writer sets itself: `Content-Length`, `Transfer-Encoding`, `Connection`, `Date`.
    case reservedField(name: String)
    /// A 1xx status as the answer itself.
    case interimStatus(Int)
    /// A call that the state of the answer does not allow, such as a second head.
    case outOfOrder
}
