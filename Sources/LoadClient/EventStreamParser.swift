/// Server-sent events (WHATWG HTML, 9.2.6), from bytes in pieces of any size: the data of each event. A value.
///
/// Comments, event names, ids and retry times are passed over: completions have nothing in them.
struct EventStreamParser: Sendable {
    /// The longest event that is taken.
    static let longestEvent = 4 << 20

    private var line: [UInt8] = []
    private var data: [UInt8] = []
    private var hasData = false
    /// The last byte was a carriage return: a line feed that follows belongs to it.
    private var isAfterReturn = false

    /// The data of the next event that is complete; nil when all of `input` is consumed.
    mutating func next(_ input: UnsafeRawBufferPointer, at offset: inout Int) throws(AnswerError) -> [UInt8]? {
        while offset < input.count {
            let byte = input[offset]
            offset += 1
            let followsReturn = isAfterReturn
            isAfterReturn = byte == UInt8(ascii: "\r")
            if byte == UInt8(ascii: "\n") || isAfterReturn {
                if byte == UInt8(ascii: "\n") && followsReturn { continue }
                if let event = endLine() { return event }
            } else {
                guard line.count + data.count < Self.longestEvent else {
                    throw AnswerError("an event of more than \(Self.longestEvent >> 20) MiB")
                }
                line.append(byte)
            }
        }
        return nil
    }

    private mutating func endLine() -> [UInt8]? {
        defer { line.removeAll(keepingCapacity: true) }
        if line.isEmpty {
            guard hasData else { return nil }
            defer {
                data = []
                hasData = false
            }
            return data
        }
        guard line.starts(with: "data".utf8) else { return nil }
        var value = line.dropFirst(4)
        if !value.isEmpty {
            guard value.popFirst() == UInt8(ascii: ":") else { return nil }
            if value.first == UInt8(ascii: " ") { value.removeFirst() }
        }
        if hasData { data.append(UInt8(ascii: "\n")) }
        data.append(contentsOf: value)
        hasData = true
        return nil
    }
}
