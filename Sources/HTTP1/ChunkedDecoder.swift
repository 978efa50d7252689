/// The chunked transfer coding (RFC 9112, 7.1): chunk sizes, data, the last chunk and the trailers.
///
/// Extensions are read past but bounded in total; trailers are bounded in total and handed over apart from the headers,
/// never merged with them (RFC 9110, 6.5.1. Attack: a `Host` or `Authorization` that arrives after the checks).
struct ChunkedDecoder: Sendable {
    /// What comes next. `size` -> `data` -> `dataEnd` -> `size`, or from the last chunk's `size` -> `trailers` -> `done`.
    private enum State: Sendable {
        case size
        case data(remaining: Int)
        case dataEnd
        case trailers
        case done
    }

    enum Step: Sendable, Equatable {
        /// Body bytes, as a range of the input.
        case data(Range<Int>)
        /// The end of the body.
        case end(trailers: HTTPHeaders)
    }

    private let limits: RequestLimits
    private var state = State.size
    private var lines = LineScanner()
    private var bodySize = 0
    private var extensionSize = 0
    private var trailers: [HTTPHeaders.Field] = []

    init(limits: RequestLimits) {
        self.limits = limits
    }

    /// The next piece of the body, nil when all of `input` is consumed. Not to be called after `end`.
    mutating func next(_ input: Span<UInt8>, at offset: inout Int) throws(RequestError) -> Step? {
        while true {
            switch state {
            case .size:
                // 16 digits, then extensions as far as their total allows.
                let limit = 16 + limits.chunkExtensions - extensionSize
                let error = RequestError.chunkExtensionsTooLarge(limit: limits.chunkExtensions)
                guard try lines.scan(input, at: &offset, limit: limit, orThrow: error) else { return nil }
                let size = try chunkSize(lines.line)
                lines.reset()
                state = size == 0 ? .trailers : .data(remaining: size)
            case .data(let remaining):
                guard offset < input.count else { return nil }
                let range = offset..<(offset + min(remaining, input.count - offset))
                offset = range.upperBound
                state = remaining == range.count ? .dataEnd : .data(remaining: remaining - range.count)
                return .data(range)
            case .dataEnd:
                // Attack: data longer than announced would be read as the next chunk's size. A limit of 0: only CR LF.
                guard try lines.scan(input, at: &offset, limit: 0, orThrow: .chunkNotTerminated) else { return nil }
                state = .size
            case .trailers:
                guard let fields = try trailerFields(input, at: &offset) else { return nil }
                state = .done
                return .end(trailers: fields)
            case .done:
                return nil
            }
        }
    }

    /// `chunk-size [ chunk-ext ]`. Attack: `0x5`, `+5`, `5 `, `5,`, or so many digits that the number wraps.
    private mutating func chunkSize(_ line: ArraySlice<UInt8>) throws(RequestError) -> Int {
        var size: UInt64 = 0
        var index = line.startIndex
        while index < line.endIndex, let digit = line[index].hexValue {
            guard index - line.startIndex < 16 else { throw .malformedChunkSize }
            size = size << 4 | UInt64(digit)
            index += 1
        }
        let rest = line[index...]
        // RFC 9112, 7.1.1: bad white space is allowed before `;`, and nowhere else.
        guard index > line.startIndex, rest.isEmpty || rest.first(where: { !$0.isWhitespace }) == .semicolon
        else { throw .malformedChunkSize }
        extensionSize += rest.count
        guard extensionSize <= limits.chunkExtensions else {
            throw .chunkExtensionsTooLarge(limit: limits.chunkExtensions)
        }
        guard size <= UInt64(max(limits.body - bodySize, 0)) else { throw .bodyTooLarge(limit: limits.body) }
        bodySize += Int(size)
        return Int(size)
    }

    /// The trailers when their empty line has come.
    private mutating func trailerFields(
        _ input: Span<UInt8>,
        at offset: inout Int
    ) throws(RequestError) -> HTTPHeaders? {
        let error = RequestError.trailersTooLarge(limit: limits.trailers)
        while try lines.scan(input, at: &offset, limit: limits.trailers - lines.lineStart, orThrow: error) {
            if lines.line.isEmpty { return HTTPHeaders(bytes: lines.takeBytes(), fields: trailers) }
            guard trailers.count < limits.headerCount else { throw error }
            trailers.append(try HTTPHeaders.Field(line: lines.line))
            lines.advance()
        }
        return nil
    }
}
