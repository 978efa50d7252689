/// Writes the answer to one request as bytes: status line, headers, and the body in the framing that request, status
/// and version call for (RFC 9112, 6.3).
///
/// | answer | framing |
/// |---|---|
/// | whole | `Content-Length` |
/// | stream to 1.1 | `Transfer-Encoding: chunked` |
/// | stream to 1.0 | none; closing the connection ends it |
/// | to HEAD, 304 | the headers of the answer to GET, no body |
/// | 204 | neither |
///
/// Body bytes given for an answer that has no body are dropped: written, they would be read as the next answer.
public struct ResponseWriter: Sendable {
    /// `head` -> `chunked`, `untilClose` or `bodiless` -> `complete`; a whole answer goes from `head` to `complete`.
    private enum State: Sendable {
        case head, chunked, untilClose, bodiless, complete
    }

    private let isHead: Bool
    private let version: HTTPVersion
    /// Whether the connection may carry another request after this answer. Final once the head is written.
    public private(set) var keepsAlive: Bool
    private var state = State.head

    /// - Parameter keepAlive: what the request asked for, `RequestHead.keepAlive`.
    public init(method: HTTPMethod, version: HTTPVersion, keepAlive: Bool) {
        isHead = method == .head
        self.version = version
        keepsAlive = keepAlive
    }

    public init(answering request: RequestHead) {
        self.init(method: request.method, version: request.version, keepAlive: request.keepAlive)
    }

    /// Whether the final status line has been written.
    public var hasHead: Bool { state != .head }
    public var isComplete: Bool { state == .complete }

    /// Has the answer end the connection. Without effect once the head is written.
    public mutating func closeAfterwards() {
        if state == .head { keepsAlive = false }
    }

    /// An interim answer (RFC 9110, 15.2), any number of them before the head. 1.0 knows none: nothing is written.
    public func writeInterim(_ status: HTTPStatus, into out: inout [UInt8]) {
        guard status.isInterim, version == .http11, state == .head else { return }
        Self.appendStatusLine(status, to: &out)
        out.append(contentsOf: "\r\n".utf8)
    }

    /// A whole answer.
    public mutating func write(
        _ head: ResponseHead,
        body: [UInt8],
        date: HTTPDate,
        into out: inout [UInt8]
    ) throws(ResponseError) {
        try check(head)
        if head.closesConnection { keepsAlive = false }
        appendHead(head, date: date, to: &out)
        // RFC 9110, 8.6: never in 204; for HEAD the length that GET would have had; RFC 9110, 15.4.5: 304 tells nothing.
        if head.status.allowsBody {
            out.append(contentsOf: "Content-Length: \(body.count)\r\n".utf8)
        }
        out.append(contentsOf: "\r\n".utf8)
        if head.status.allowsBody && !isHead { out.append(contentsOf: body) }
        state = .complete
    }

    /// The head of an answer whose length is not known; `write(_:into:)` and `finish(into:)` follow.
    public mutating func start(
        _ head: ResponseHead,
        date: HTTPDate,
        into out: inout [UInt8]
    ) throws(ResponseError) {
        try check(head)
        if head.closesConnection { keepsAlive = false }
        if !head.status.allowsBody {
            state = .bodiless
        } else if version == .http10 {
            // RFC 9112, 6.1: never chunked to 1.0. Only the close tells its end, also for HEAD: what GET would get.
            keepsAlive = false
            state = isHead ? .bodiless : .untilClose
        } else {
            state = isHead ? .bodiless : .chunked
        }
        appendHead(head, date: date, to: &out)
        if head.status.allowsBody && version == .http11 {
            out.append(contentsOf: "Transfer-Encoding: chunked\r\n".utf8)
        }
        out.append(contentsOf: "\r\n".utf8)
    }

    /// A piece of a stream. An empty piece writes nothing: as a chunk it would end the body.
    public mutating func write(_ bytes: [UInt8], into out: inout [UInt8]) throws(ResponseError) {
        switch state {
        case .chunked:
            guard !bytes.isEmpty else { return }
            out.append(contentsOf: String(bytes.count, radix: 16).utf8)
            out.append(contentsOf: "\r\n".utf8)
            out.append(contentsOf: bytes)
            out.append(contentsOf: "\r\n".utf8)
        case .untilClose:
            out.append(contentsOf: bytes)
        case .bodiless:
            break
        case .head, .complete:
            throw .outOfOrder
        }
    }

    /// The end of a stream.
    public mutating func finish(into out: inout [UInt8]) throws(ResponseError) {
        switch state {
        case .chunked: out.append(contentsOf: "0\r\n\r\n".utf8)
        case .untilClose, .bodiless: break
        case .head, .complete: throw .outOfOrder
        }
        state = .complete
    }

    /// Attack: response splitting, a value with CR LF in it that ends the head and starts another answer.
    private func check(_ head: ResponseHead) throws(ResponseError) {
        guard state == .head else { throw .outOfOrder }
        guard !head.status.isInterim else { throw .interimStatus(head.status.code) }
        for field in head.headers.fields {
            let name = head.headers.name(field)
            guard !name.isEmpty, name.allSatisfy(\.isTokenCharacter),
                head.headers.value(field).allSatisfy(\.isFieldValueByte)
            else { throw .invalidField(name: String(decoding: name, as: UTF8.self)) }
            switch name.count {
            case 4 where equalsIgnoringCase(name, "date"),
                10 where equalsIgnoringCase(name, "connection"),
                14 where equalsIgnoringCase(name, "content-length"),
                17 where equalsIgnoringCase(name, "transfer-encoding"):
                throw .reservedField(name: String(decoding: name, as: UTF8.self))
            default:
                break
            }
        }
    }

    /// All of the head but its framing fields and the empty line.
    private func appendHead(_ head: ResponseHead, date: HTTPDate, to out: inout [UInt8]) {
        Self.appendStatusLine(head.status, to: &out)
        for field in head.headers.fields {
            out.append(contentsOf: head.headers.name(field))
            out.append(contentsOf: ": ".utf8)
            out.append(contentsOf: head.headers.value(field))
            out.append(contentsOf: "\r\n".utf8)
        }
        out.append(contentsOf: "Date: ".utf8)
        out.append(contentsOf: date.bytes)
        // RFC 9112, 9.6 and, for 1.0, 9.3: what is not the version's default must be said.
        switch (version, keepsAlive) {
        case (_, false): out.append(contentsOf: "\r\nConnection: close\r\n".utf8)
        case (.http10, true): out.append(contentsOf: "\r\nConnection: keep-alive\r\n".utf8)
        case (.http11, true): out.append(contentsOf: "\r\n".utf8)
        }
    }

    private static func appendStatusLine(_ status: HTTPStatus, to out: inout [UInt8]) {
        out.append(contentsOf: "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n".utf8)
    }
}
