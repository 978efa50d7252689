/// What the first lines of an answer say.
struct AnswerHead: Sendable, Hashable {
    /// 200...999; interim answers are passed over.
    var status: Int
    /// Without parameters, in lower case.
    var contentType = ""
    /// Whether the connection may take another request.
    var keepsAlive = true
    /// Seconds of `Retry-After`, where it is a number.
    var retryAfter: Double?
    fileprivate var contentLength: Int?
    fileprivate var isChunked = false

    init(status: Int = 0) { self.status = status }

    var isEventStream: Bool { contentType == "text/event-stream" }
}

/// HTTP/1.1 answers (RFC 9112), from bytes in pieces of any size. A value; knows no sockets.
///
/// Lenient where it harms nobody (bare line feeds, unknown headers), bounded in what it keeps: a head of 64 KiB.
struct AnswerParser: Sendable {
    enum Event: Sendable, Hashable {
        case head(AnswerHead)
        /// Bytes of the body, as a range of the input.
        case body(Range<Int>)
        case end
    }

    /// What comes next. `statusLine` -> `fields` -> one of the bodies -> `done`; an interim answer leads back to
    /// `statusLine`, and each chunk from `chunkSize` over `chunkData` and `chunkEnd` back to it.
    private enum State: Sendable, Hashable {
        case statusLine
        case fields
        case fixed(remaining: Int)
        case chunkSize
        case chunkData(remaining: Int)
        case chunkEnd
        case trailers
        case untilClose
        case done
    }

    private static let longestHead = 64 << 10

    private var state = State.statusLine
    private var head = AnswerHead()
    private var line: [UInt8] = []
    private var headSize = 0

    /// Whether no byte of the answer has come.
    var isUntouched: Bool { state == .statusLine && line.isEmpty && headSize == 0 }

    /// What the next bytes mean; nil when all of `input` is consumed, or the answer is over.
    mutating func next(_ input: UnsafeRawBufferPointer, at offset: inout Int) throws(AnswerError) -> Event? {
        while true {
            switch state {
            case .statusLine:
                guard try readLine(input, at: &offset) else { return nil }
                try statusLine()
            case .fields:
                guard try readLine(input, at: &offset) else { return nil }
                if line.isEmpty {
                    if let event = try endHead() { return event }
                } else {
                    try field()
                }
            case .fixed(0):
                state = .done
                return .end
            case .fixed(let remaining):
                guard let range = take(remaining, of: input, at: &offset) else { return nil }
                state = .fixed(remaining: remaining - range.count)
                return .body(range)
            case .chunkSize:
                guard try readLine(input, at: &offset) else { return nil }
                let size = try chunkSize()
                state = size == 0 ? .trailers : .chunkData(remaining: size)
            case .chunkData(let remaining):
                guard let range = take(remaining, of: input, at: &offset) else { return nil }
                state = range.count == remaining ? .chunkEnd : .chunkData(remaining: remaining - range.count)
                return .body(range)
            case .chunkEnd:
                guard try readLine(input, at: &offset) else { return nil }
                guard line.isEmpty else { throw AnswerError("a chunk is longer than it says") }
                state = .chunkSize
            case .trailers:
                guard try readLine(input, at: &offset) else { return nil }
                guard line.isEmpty else { continue }
                state = .done
                return .end
            case .untilClose:
                guard let range = take(.max, of: input, at: &offset) else { return nil }
                return .body(range)
            case .done:
                return nil
            }
        }
    }

    /// The server has closed its side.
    /// - Throws: when something of the answer is missing.
    mutating func endOfInput() throws(AnswerError) {
        switch state {
        case .untilClose, .done: state = .done
        case .statusLine where isUntouched: throw AnswerError("the connection was closed without an answer")
        default: throw AnswerError("the connection was closed in the middle of the answer")
        }
    }

    private func take(_ most: Int, of input: UnsafeRawBufferPointer, at offset: inout Int) -> Range<Int>? {
        guard offset < input.count else { return nil }
        let range = offset..<(offset + min(most, input.count - offset))
        offset = range.upperBound
        return range
    }

    /// Fills ``line`` up to the next line feed; false when it is not there yet.
    private mutating func readLine(_ input: UnsafeRawBufferPointer, at offset: inout Int) throws(AnswerError) -> Bool {
        if isLineComplete { startLine() }
        while offset < input.count {
            let byte = input[offset]
            offset += 1
            if byte == UInt8(ascii: "\n") {
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                isLineComplete = true
                return true
            }
            headSize += 1
            guard headSize <= Self.longestHead else { throw AnswerError("the head is longer than 64 KiB") }
            line.append(byte)
        }
        return false
    }

    private var isLineComplete = false

    private mutating func startLine() {
        line.removeAll(keepingCapacity: true)
        isLineComplete = false
        // Only heads are bounded as a whole; a body may have any number of chunks.
        if state != .fields { headSize = 0 }
    }

    // MARK: Lines

    /// `HTTP/1.1 200 OK`
    private mutating func statusLine() throws(AnswerError) {
        let parts = line.split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0].starts(with: "HTTP/1.".utf8), parts[0].count == 8, parts[1].count == 3,
            let status = Int(String(decoding: parts[1], as: UTF8.self)), (100...999).contains(status)
        else { throw AnswerError("the answer is not HTTP/1.1: it begins with '\(Self.shown(line))'") }
        head = AnswerHead(status: status)
        head.keepsAlive = parts[0].last != UInt8(ascii: "0")
        state = .fields
    }

    private mutating func field() throws(AnswerError) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
            throw AnswerError("a header without a colon: '\(Self.shown(line))'")
        }
        let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
        let text = String(decoding: line[(colon + 1)...], as: UTF8.self)
        let value = text.drop { $0 == " " || $0 == "\t" }.lowercased()
        switch name {
        case "content-type": head.contentType = String(value.prefix { $0 != ";" && $0 != " " })
        case "content-length":
            guard let length = Int(value), length >= 0, head.contentLength == nil || head.contentLength == length else {
                throw AnswerError("'Content-Length: \(value)' is no length")
            }
            head.contentLength = length
        case "transfer-encoding":
            guard value == "chunked" else { throw AnswerError("the transfer coding '\(value)' was not asked for") }
            head.isChunked = true
        case "connection":
            if value.contains("close") { head.keepsAlive = false }
            if value.contains("keep-alive") { head.keepsAlive = true }
        case "retry-after": head.retryAfter = Double(value)
        default: break
        }
    }

    /// RFC 9112, 6.3: how long the body is. Nil for an interim answer, which has none.
    private mutating func endHead() throws(AnswerError) -> Event? {
        if head.status < 200 {
            guard head.status != 101 else { throw AnswerError("the server switched protocols") }
            state = .statusLine
            return nil
        }
        if head.status == 204 || head.status == 304 {
            state = .fixed(remaining: 0)
        } else if head.isChunked {
            state = .chunkSize
        } else if let length = head.contentLength {
            state = .fixed(remaining: length)
        } else {
            head.keepsAlive = false
            state = .untilClose
        }
        return .head(head)
    }

    private func chunkSize() throws(AnswerError) -> Int {
        let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
        guard (1...15).contains(digits.count), let size = Int(String(decoding: digits, as: UTF8.self), radix: 16),
            size >= 0
        else { throw AnswerError("'\(Self.shown(line))' is no chunk size") }
        return size
    }

    private static func shown(_ line: [UInt8]) -> String {
        String(
            String(decoding: line.prefix(40), as: UTF8.self).unicodeScalars.map {
                $0.value < 0x20 ? "?" : Character($0)
            }
        )
    }
}
