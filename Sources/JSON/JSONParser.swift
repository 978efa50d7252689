/// A strict JSON parser (RFC 8259) for texts from strangers: request bodies and the files of a model folder.
///
/// Why not `JSONDecoder`: its errors say neither where nor what was found, it lets a repeated name win silently (two
/// readers of one text may then see two requests, or two models: RFC 8259, section 4), and its integers pass through
/// `Double`. Depth is bounded, so a text of 100,000 `[` is an error and not a stack overflow; each level costs one small
/// frame. Time is linear in the text; memory is bounded by a small multiple of it.
package struct JSONParser: ~Copyable {
    /// How many levels a text may have: its value is the first, an element or member of that the second.
    /// Our deepest request has 4, our deepest file 8.
    package static let maximumDepth = 64

    let bytes: UnsafeRawBufferPointer
    var index = 0
    private let source: StaticString

    /// The one value that `bytes` hold, with white space around it.
    /// - Parameter source: what the text is, for errors that say where it ends: `the body`.
    package static func parse(_ bytes: UnsafeRawBufferPointer, of source: StaticString) throws(JSONError) -> JSONValue {
        var parser = JSONParser(bytes: bytes, source: source)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw parser.error("a byte order mark, which JSON does not allow")
        }
        parser.skipWhitespace()
        let value = try parser.value(depth: 1)
        parser.skipWhitespace()
        guard parser.index == bytes.count else { throw parser.error("something after the end of the value") }
        return value
    }

    /// The same for an array.
    package static func parse(_ bytes: [UInt8], of source: StaticString) throws(JSONError) -> JSONValue {
        try bytes.withUnsafeBufferPointer { (buffer) throws(JSONError) in
            try parse(UnsafeRawBufferPointer(buffer), of: source)
        }
    }

    private init(bytes: UnsafeRawBufferPointer, source: StaticString) {
        self.bytes = bytes
        self.source = source
    }

    var current: UInt8? {
        index < bytes.count ? bytes[index] : nil
    }

    private mutating func skipWhitespace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { index += 1 }
    }

    /// Steps over `byte` if it stands here.
    mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        index += 1
        return true
    }

    func error(_ problem: String, at offset: Int? = nil) -> JSONError {
        JSONError(problem: problem, offset: offset ?? index, in: bytes)
    }

    /// What stands at the current byte, for an error message.
    func unexpected(wanted: String) -> JSONError {
        guard let byte = current else { return error("the end of \(source) where \(wanted) should be") }
        let shown =
            (0x21...0x7E).contains(byte)
            ? "'\(Character(UnicodeScalar(byte)))'" : "the byte 0x\(String(byte, radix: 16, uppercase: true))"
        return error("\(shown) where \(wanted) should be")
    }

    // MARK: - Values

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= Self.maximumDepth else { throw error("values nested more than \(Self.maximumDepth) deep") }
        switch current {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return try number()
        default: throw unexpected(wanted: "a value")
        }
    }

    private mutating func literal(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        let length = word.utf8CodeUnitCount
        let matches = word.withUTF8Buffer { bytes[index...].prefix(length).elementsEqual($0) }
        guard matches else { throw unexpected(wanted: "a value (true, false, null, a number, a string, [ or {)") }
        index += length
        return value
    }

    private mutating func array(depth: Int) throws(JSONError) -> [JSONValue] {
        index += 1
        skipWhitespace()
        var values: [JSONValue] = []
        if take(UInt8(ascii: "]")) { return values }
        while true {
            values.append(try value(depth: depth + 1))
            skipWhitespace()
            if take(UInt8(ascii: "]")) { return values }
            guard take(UInt8(ascii: ",")) else { throw unexpected(wanted: "',' or ']'") }
            skipWhitespace()
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONObject {
        index += 1
        skipWhitespace()
        var object = JSONObject()
        if take(UInt8(ascii: "}")) { return object }
        while true {
            guard current == UInt8(ascii: "\"") else { throw unexpected(wanted: "a name in quotes") }
            let start = index
            let name = try string()
            skipWhitespace()
            guard take(UInt8(ascii: ":")) else { throw unexpected(wanted: "':'") }
            skipWhitespace()
            guard object.add(name, try value(depth: depth + 1)) else {
                throw error("the name \(quoted(name)) occurs twice in one object", at: start)
            }
            skipWhitespace()
            if take(UInt8(ascii: "}")) { return object }
            guard take(UInt8(ascii: ",")) else { throw unexpected(wanted: "',' or '}'") }
            skipWhitespace()
        }
    }
}
