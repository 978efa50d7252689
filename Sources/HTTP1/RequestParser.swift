/// Reads the requests of one connection, one after the other, out of bytes that arrive in any pieces.
///
/// ```swift
/// var offset = 0
/// while let event = try parser.next(in: bytes.span, at: &offset) {
///     switch event {
///     case .head(let head): ...          // decide, perhaps answer early
///     case .body(let range): ...         // bytes[range] belong to the body
///     case .end(let trailers): ...       // the request is complete; the next one may follow in the same bytes
///     }
/// }
/// ```
/// `nil` means that all bytes are consumed and more are needed. A caller may stop after any event and go on later with
/// the bytes from `offset`. Which events and which error come out does not depend on how the input was cut, but for the
/// borders of `body` ranges.
///
/// Strict where laxity is an attack (RFC 9112, 11.2): whatever two implementations have been seen to read differently is
/// an error and never repaired. After an error the parser keeps throwing it; close the connection.
///
/// Cost: one pass over the head's bytes, one copy of them, no copy of the body; memory is bounded by `RequestLimits`.
public struct RequestParser: Sendable {
    public enum Event: Sendable, Equatable {
        case head(RequestHead)
        /// Body bytes, as a range of the input of this call; transfer coding already taken off. Never empty.
        case body(Range<Int>)
        /// The request is complete. Trailers are apart from the head's fields and must not be merged with them.
        case end(trailers: HTTPHeaders)
    }

    /// What comes next: `requestLine` -> `headers` -> `fixedBody` or `chunkedBody` -> `requestLine`; `failed` is final, and
    /// has what was known of the head that failed.
    private enum State: Sendable {
        case requestLine
        case headers(HTTPMethod, RequestTarget, HTTPVersion)
        case fixedBody(remaining: Int)
        case chunkedBody(ChunkedDecoder)
        indirect case failed(RequestError, RequestHead?)
    }

    public let limits: RequestLimits
    private var state = State.requestLine
    private var lines = LineScanner()
    private var fields: [HTTPHeaders.Field] = []
    private var sawEmptyLine = false

    public init(limits: RequestLimits = RequestLimits()) {
        self.limits = limits
    }

    /// Whether the parser is between two requests: no byte of the next one has been consumed.
    public var isIdle: Bool {
        if case .requestLine = state { !lines.isInLine } else { false }
    }

    /// The head that has begun to come, or that was refused: its line, and the fields up to now. Nil where none has begun, the
    /// line itself could not be read, or the head was complete and right.
    ///
    /// Trap: it is checked line by line only, and others may have read it differently: for logs, and for fields of the
    /// answer that refuses it.
    public var unfinishedHead: RequestHead? {
        switch state {
        case .headers(let method, let target, let version):
            let headers = HTTPHeaders(bytes: lines.bytes, fields: fields)
            return RequestHead(method: method, target: target, version: version, headers: headers)
        case .failed(_, let head):
            return head
        case .requestLine, .fixedBody, .chunkedBody:
            return nil
        }
    }

    /// The next event of `input`, from `offset`, which is moved behind the bytes that were consumed.
    public mutating func next(in input: Span<UInt8>, at offset: inout Int) throws(RequestError) -> Event? {
        do {
            return try step(input, &offset)
        } catch {
            state = .failed(error, unfinishedHead)
            lines.reset()
            throw error
        }
    }

    private mutating func step(_ input: Span<UInt8>, _ offset: inout Int) throws(RequestError) -> Event? {
        while true {
            switch state {
            case .requestLine:
                // Room for the method and version beside the target; the target's own length is checked below.
                let error = RequestError.targetTooLong(limit: limits.target)
                let limit = limits.target + 64
                guard try lines.scan(input, at: &offset, limit: limit, orThrow: error) else { return nil }
                try readRequestLine()
            case .headers(let method, let target, let version):
                guard try scanHeaderLine(input, &offset) else { return nil }
                if lines.line.isEmpty { return .head(try completeHead(method, target, version)) }
                guard fields.count < limits.headerCount else { throw .tooManyHeaders(limit: limits.headerCount) }
                fields.append(try HTTPHeaders.Field(line: lines.line))
                lines.advance()
            case .fixedBody(let remaining):
                if remaining == 0 { return complete(trailers: [:]) }
                guard offset < input.count else { return nil }
                let range = offset..<(offset + min(remaining, input.count - offset))
                offset = range.upperBound
                state = .fixedBody(remaining: remaining - range.count)
                return .body(range)
            case .chunkedBody(var decoder):
                state = .requestLine  // so that the decoder's memory has one owner while it works
                let step = try decoder.next(input, at: &offset)
                state = .chunkedBody(decoder)
                switch step {
                case nil: return nil
                case .data(let range): return .body(range)
                case .end(let trailers): return complete(trailers: trailers)
                }
            case .failed(let error, _):
                throw error
            }
        }
    }

    private mutating func complete(trailers: HTTPHeaders) -> Event {
        state = .requestLine
        return .end(trailers: trailers)
    }

    /// `method SP request-target SP HTTP-version` (RFC 9112, 3), with single spaces: white space is not guessed at.
    private mutating func readRequestLine() throws(RequestError) {
        let line = lines.line
        if line.isEmpty {
            // RFC 9112, 2.2: ignore one empty line before the request line, which old clients send after a body.
            guard !sawEmptyLine else { throw .emptyLines }
            sawEmptyLine = true
            return
        }
        guard let firstSpace = line.firstIndex(of: .space), let lastSpace = line.lastIndex(of: .space),
            firstSpace > line.startIndex, lastSpace > firstSpace + 1
        else { throw .malformedRequestLine }
        let name = line[..<firstSpace]
        if let byte = name.first(where: { !$0.isTokenCharacter }) { throw .invalidMethodByte(byte) }
        let version = try Self.version(line[(lastSpace + 1)...])
        let method = HTTPMethod(String(decoding: name, as: UTF8.self))
        // RFC 9110, 9.3.6. Attack: a tunnel through a server that takes CONNECT for an ordinary method.
        guard method != .connect else { throw .connectNotImplemented }
        let bytes = line[(firstSpace + 1)..<lastSpace]
        guard bytes.count <= limits.target else { throw .targetTooLong(limit: limits.target) }
        guard let target = RequestTarget(bytes, method: method) else { throw .invalidTarget }
        lines.reset()
        sawEmptyLine = false
        state = .headers(method, target, version)
    }

    /// `HTTP/` DIGIT `.` DIGIT, case-sensitive (RFC 9112, 2.3).
    private static func version(_ bytes: ArraySlice<UInt8>) throws(RequestError) -> HTTPVersion {
        let start = bytes.startIndex
        guard bytes.count == 8, bytes.starts(with: "HTTP/".utf8), bytes[start + 5].isDigit,
            bytes[start + 6] == UInt8(ascii: "."), bytes[start + 7].isDigit
        else { throw .malformedVersion }
        guard bytes[start + 5] == UInt8(ascii: "1") else { throw .unsupportedVersion }
        return bytes[start + 7] == UInt8(ascii: "0") ? .http10 : .http11
    }

    private mutating func scanHeaderLine(_ input: Span<UInt8>, _ offset: inout Int) throws(RequestError) -> Bool {
        let left = max(limits.headerTotal - lines.lineStart, 0)
        return if left < limits.headerLine {
            try lines.scan(
                input,
                at: &offset,
                limit: left,
                orThrow: .headersTooLarge(limit: limits.headerTotal)
            )
        } else {
            try lines.scan(
                input,
                at: &offset,
                limit: limits.headerLine,
                orThrow: .headerLineTooLong(limit: limits.headerLine)
            )
        }
    }

    private mutating func completeHead(
        _ method: HTTPMethod,
        _ target: RequestTarget,
        _ version: HTTPVersion
    ) throws(RequestError) -> RequestHead {
        let headers = HTTPHeaders(bytes: lines.bytes, fields: fields)
        let head = try RequestHead(method: method, target: target, version: version, headers: headers, limits: limits)
        // The head has them now.
        _ = lines.takeBytes()
        fields = []
        state =
            switch head.body {
            case .none: .fixedBody(remaining: 0)
            case .length(let length): .fixedBody(remaining: length)
            case .chunked: .chunkedBody(ChunkedDecoder(limits: limits))
            }
        return head
    }
}
