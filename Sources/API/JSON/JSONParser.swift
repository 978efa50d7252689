/// A strict JSON parser (RFC 8259) for bodies that come from strangers.
///
/// Why not `JSONDecoder`: its errors say neither where nor what was found, it lets a repeated name win silently (two
/// readers of one body may then see two requests: RFC 8259, section 4), and its integers pass through `Double`.
/// Depth is bounded, so a body of 100,000 `[` is an error and not a stack overflow; each level costs one small frame.
/// Time is linear in the body; memory is bounded by a small multiple of it.
struct JSONParser {
    /// How deep arrays and objects may nest. Our deepest request has 3 levels.
    static let maximumDepth = 64

    private let bytes: [UInt8]
    private var index = 0

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The one value that `bytes` hold, with white space around it.
    static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        var parser = JSONParser(bytes)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw parser.error("a byte order mark, which JSON does not allow")
        }
        parser.skipWhitespace()
        let value = try parser.value(depth: 0)
        parser.skipWhitespace()
        guard parser.index == bytes.count else { throw parser.error("something after the end of the value") }
        return value
    }

    private var current: UInt8? {
        index < bytes.count ? bytes[index] : nil
    }

    private mutating func skipWhitespace() {
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): index += 1
            default: return
            }
        }
    }

    private func error(_ problem: String, at offset: Int? = nil) -> JSONError {
        JSONError(problem: problem, offset: offset ?? index, in: bytes)
    }

    /// What stands at the current byte, for an error message.
    private func unexpected(wanted: String) -> JSONError {
        guard let byte = current else { return error("the end of the body where \(wanted) should be") }
        let shown =
            (0x21...0x7E).contains(byte)
            ? "'\(Character(UnicodeScalar(byte)))'" : "the byte 0x\(String(byte, radix: 16, uppercase: true))"
        return error("\(shown) where \(wanted) should be")
    }

    // MARK: - Values

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        switch current {
        case UInt8(ascii: "{"): return .object(try object(depth: depth + 1))
        case UInt8(ascii: "["): return .array(try array(depth: depth + 1))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case .some(let byte) where byte == UInt8(ascii: "-") || Self.isDigit(byte): return try number()
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

    private func check(depth: Int) throws(JSONError) {
        guard depth <= Self.maximumDepth else { throw error("more than \(Self.maximumDepth) levels of nesting") }
    }

    private mutating func array(depth: Int) throws(JSONError) -> [JSONValue] {
        try check(depth: depth)
        index += 1
        skipWhitespace()
        var values: [JSONValue] = []
        if current == UInt8(ascii: "]") {
            index += 1
            return values
        }
        while true {
            values.append(try value(depth: depth))
            skipWhitespace()
            switch current {
            case UInt8(ascii: ","): index += 1
            case UInt8(ascii: "]"):
                index += 1
                return values
            default: throw unexpected(wanted: "',' or ']'")
            }
            skipWhitespace()
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> [String: JSONValue] {
        try check(depth: depth)
        index += 1
        skipWhitespace()
        var members: [String: JSONValue] = [:]
        if current == UInt8(ascii: "}") {
            index += 1
            return members
        }
        while true {
            guard current == UInt8(ascii: "\"") else { throw unexpected(wanted: "a name in quotes") }
            let start = index
            let name = try string()
            skipWhitespace()
            guard current == UInt8(ascii: ":") else { throw unexpected(wanted: "':'") }
            index += 1
            skipWhitespace()
            let member = try value(depth: depth)
            guard members.updateValue(member, forKey: name) == nil else {
                throw error("the name \(JSONValue.quoted(name)) twice in one object", at: start)
            }
            skipWhitespace()
            switch current {
            case UInt8(ascii: ","): index += 1
            case UInt8(ascii: "}"):
                index += 1
                return members
            default: throw unexpected(wanted: "',' or '}'")
            }
            skipWhitespace()
        }
    }
}

// MARK: - Numbers

extension JSONParser {
    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private mutating func skipDigits() -> Int {
        let start = index
        while let byte = current, Self.isDigit(byte) { index += 1 }
        return index - start
    }

    /// RFC 8259, section 6: no leading zeros, no bare point, no `+`, no NaN or Infinity.
    private mutating func number() throws(JSONError) -> JSONValue {
        let start = index
        if current == UInt8(ascii: "-") { index += 1 }
        let leadingZero = current == UInt8(ascii: "0")
        let digits = skipDigits()
        guard digits > 0 else { throw unexpected(wanted: "a digit") }
        if leadingZero && digits > 1 { throw error("a number with a leading zero", at: start) }
        var isInteger = true
        if current == UInt8(ascii: ".") {
            isInteger = false
            index += 1
            guard skipDigits() > 0 else { throw unexpected(wanted: "a digit") }
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            isInteger = false
            index += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { index += 1 }
            guard skipDigits() > 0 else { throw unexpected(wanted: "a digit") }
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isInteger {
            if let value = Int64(text) { return .integer(value) }
            if let value = UInt64(text) { return .unsigned(value) }
        }
        guard let value = Double(text), value.isFinite else {
            throw error("a number too large for 64 bits", at: start)
        }
        return .double(value)
    }
}

// MARK: - Strings

extension JSONParser {
    /// RFC 8259, section 7. Strings without escapes, nearly all of them, are validated and copied in one go.
    private mutating func string() throws(JSONError) -> String {
        let opening = index
        index += 1
        var unescaped: [UInt8] = []
        var runStart = index
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                let run = bytes[runStart..<index]
                index += 1
                if unescaped.isEmpty { return try validated(run, from: opening) }
                unescaped.append(contentsOf: run)
                return try validated(unescaped[...], from: opening)
            case UInt8(ascii: "\\"):
                unescaped.append(contentsOf: bytes[runStart..<index])
                try escape(into: &unescaped)
                runStart = index
            case 0..<0x20:
                throw error("a control character that is not escaped in a string")
            default:
                index += 1
            }
        }
        throw error("a string that does not end", at: opening)
    }

    private func validated(_ run: ArraySlice<UInt8>, from opening: Int) throws(JSONError) -> String {
        guard let text = String(validating: run, as: UTF8.self) else {
            throw error("a string that is not valid UTF-8", at: opening)
        }
        return text
    }

    private mutating func escape(into output: inout [UInt8]) throws(JSONError) {
        let start = index
        index += 1
        guard let byte = current else { throw unexpected(wanted: "an escape") }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): output.append(byte)
        case UInt8(ascii: "b"): output.append(0x08)
        case UInt8(ascii: "f"): output.append(0x0C)
        case UInt8(ascii: "n"): output.append(0x0A)
        case UInt8(ascii: "r"): output.append(0x0D)
        case UInt8(ascii: "t"): output.append(0x09)
        case UInt8(ascii: "u"): output.append(contentsOf: try unicodeEscape(from: start).utf8)
        default: throw error("an unknown escape in a string", at: start)
        }
    }

    /// `\uXXXX`, or two of them that are a surrogate pair. Half a pair stands for no character: refused.
    private mutating func unicodeEscape(from start: Int) throws(JSONError) -> String {
        let first = try hexUnit()
        if let scalar = UnicodeScalar(first) { return String(Character(scalar)) }
        guard first < 0xDC00, bytes[index...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) else {
            throw error("half of a surrogate pair in a string", at: start)
        }
        index += 2
        let second = try hexUnit()
        guard (0xDC00...0xDFFF).contains(second) else { throw error("half of a surrogate pair in a string", at: start) }
        let code = 0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00)
        guard let scalar = UnicodeScalar(code) else { throw error("half of a surrogate pair in a string", at: start) }
        return String(Character(scalar))
    }

    private mutating func hexUnit() throws(JSONError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                throw unexpected(wanted: "a hexadecimal digit")
            }
            unit = unit << 4 | UInt16(digit)
            index += 1
        }
        return unit
    }
}

/// Why a body is not JSON, and where.
struct JSONError: Error, Hashable {
    /// What was found: a noun phrase.
    var problem: String
    /// Bytes before the problem.
    var offset: Int
    /// Counted from 1.
    var line: Int
    /// In bytes, counted from 1.
    var column: Int

    init(problem: String, offset: Int, in bytes: [UInt8]) {
        self.problem = problem
        self.offset = offset
        let before = bytes.prefix(offset)
        self.line = 1 + before.count { $0 == UInt8(ascii: "\n") }
        self.column = 1 + before.reversed().prefix { $0 != UInt8(ascii: "\n") }.count
    }
}
