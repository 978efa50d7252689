/// Collects lines that end with CR LF out of input that arrives in any pieces.
///
/// Lines are laid end to end, without their CR LF, in `bytes`; a head's lines stay there and become the storage of its
/// headers. Every byte is judged when it is seen, so what is refused, and at which byte, does not depend on how the
/// input was cut.
struct LineScanner: Sendable {
    /// All lines since the last `reset`, and what has come of the current one.
    private(set) var bytes: [UInt8] = []
    /// Where the current line starts in `bytes`.
    private(set) var lineStart = 0
    private var sawCarriageReturn = false

    /// The line that `scan` has just completed.
    var line: ArraySlice<UInt8> { bytes[lineStart...] }

    /// Whether some of a line has been consumed, but not all.
    var isInLine: Bool { lineStart < bytes.count || sawCarriageReturn }

    /// Consumes input up to and with the next CR LF.
    ///
    /// - Parameters:
    ///   - offset: where to start in `input`; moved behind what was consumed.
    ///   - limit: greatest length of the line in bytes, without CR LF.
    ///   - error: what to throw beyond `limit`.
    /// - Returns: true when `line` is complete, false when all input is consumed and more is needed.
    mutating func scan(
        _ input: Span<UInt8>,
        at offset: inout Int,
        limit: Int,
        orThrow error: RequestError
    ) throws(RequestError) -> Bool {
        if sawCarriageReturn {
            guard offset < input.count else { return false }
            return try endLine(input, at: &offset)
        }
        let stop = min(input.count, offset + max(limit - (bytes.count - lineStart), 0))
        var index = offset
        while index < stop, !input[index].isForbiddenControl { index += 1 }
        take(input, offset..<index)
        offset = index
        guard index < input.count else { return false }
        switch input[index] {
        case .carriageReturn:
            sawCarriageReturn = true
            offset += 1
            guard offset < input.count else { return false }
            return try endLine(input, at: &offset)
        case .lineFeed:
            // RFC 9112, 2.2 lets a recipient take LF alone. Attack: a hop that does not sees one line where we see two.
            throw .bareLineFeed
        case let byte where byte.isForbiddenControl:
            // RFC 9110, 5.5. Attack: NUL ends the value in one hop and not in the next.
            throw .controlByte(byte)
        default:
            throw error
        }
    }

    /// After CR: LF, and nothing else. RFC 9112, 2.2. Attack: a hop that takes CR for a line end sees other headers.
    private mutating func endLine(_ input: Span<UInt8>, at offset: inout Int) throws(RequestError) -> Bool {
        guard input[offset] == .lineFeed else { throw .bareCarriageReturn }
        sawCarriageReturn = false
        offset += 1
        return true
    }

    private mutating func take(_ input: Span<UInt8>, _ range: Range<Int>) {
        guard !range.isEmpty else { return }
        if bytes.isEmpty { bytes.reserveCapacity(256) }
        input.extracting(range).withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
    }

    /// Keeps the line that was completed and starts the next one behind it.
    mutating func advance() {
        lineStart = bytes.count
    }

    /// Drops all lines; their memory is used again.
    mutating func reset() {
        bytes.removeAll(keepingCapacity: true)
        lineStart = 0
    }

    /// Hands over the memory of all lines and starts afresh.
    mutating func takeBytes() -> [UInt8] {
        defer {
            bytes = []
            lineStart = 0
        }
        return bytes
    }
}
