// RFC 8259, and nothing more: model files are untrusted, and a lenient reader lets two programs read one file differently.

/// Why a text is not JSON, and where.
package struct JSONError: Error, Sendable, Equatable {
    /// Byte offset into the text.
    package var offset: Int
    package var problem: String

    package init(offset: Int, problem: String) {
        self.offset = offset
        self.problem = problem
    }
}

/// A strict JSON reader over bytes: no duplicate keys, no NaN, no comments, valid UTF-8 and paired surrogates only,
/// nested at most ``depthLimit`` deep. Memory is linear in the text.
package struct JSONReader: ~Copyable {
    /// Deeper nesting is refused, so that a file of brackets cannot exhaust the stack.
    package static let depthLimit = 64

    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    /// Reads the one value in `bytes`, with nothing but white space around it.
    package static func read(_ bytes: UnsafeRawBufferPointer) throws(JSONError) -> JSONValue {
        var reader = JSONReader(bytes: bytes)
        reader.skipWhitespace()
        let value = try reader.value(depth: 0)
        reader.skipWhitespace()
        guard reader.offset == bytes.count else { throw reader.failure("text after the end of the value") }
        return value
    }

    private init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    private func failure(_ problem: String) -> JSONError { JSONError(offset: offset, problem: problem) }

    private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func skipWhitespace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        offset += 1
        return true
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard depth < Self.depthLimit else { throw failure("nested more than \(Self.depthLimit) deep") }
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return try number()
        case nil: throw failure("the text ends where a value should be")
        default: throw failure("no value starts like this")
        }
    }

    private mutating func literal(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        for position in 0..<word.utf8CodeUnitCount where !take(word.utf8Start[position]) {
            throw failure("expected \(word)")
        }
        return value
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        offset += 1
        var object = JSONObject()
        skipWhitespace()
        if take(UInt8(ascii: "}")) { return .object(object) }
        while true {
            skipWhitespace()
            guard next == UInt8(ascii: "\"") else { throw failure("expected a key") }
            let key = try string()
            skipWhitespace()
            guard take(UInt8(ascii: ":")) else { throw failure("expected ':'") }
            skipWhitespace()
            guard object.add(key, try value(depth: depth + 1)) else {
                throw failure("the key \(quoted(key)) occurs twice")
            }
            skipWhitespace()
            if take(UInt8(ascii: "}")) { return .object(object) }
            guard take(UInt8(ascii: ",")) else { throw failure("expected ',' or '}'") }
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        offset += 1
        var values: [JSONValue] = []
        skipWhitespace()
        if take(UInt8(ascii: "]")) { return .array(values) }
        while true {
            skipWhitespace()
            values.append(try value(depth: depth + 1))
            skipWhitespace()
            if take(UInt8(ascii: "]")) { return .array(values) }
            guard take(UInt8(ascii: ",")) else { throw failure("expected ',' or ']'") }
        }
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = offset
        func isDigit(_ byte: UInt8?) -> Bool {
            byte.map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? false
        }
        _ = take(UInt8(ascii: "-"))
        guard isDigit(next) else { throw failure("expected a digit") }
        if !take(UInt8(ascii: "0")) {
            while isDigit(next) { offset += 1 }
        }
        if take(UInt8(ascii: ".")) {
            guard isDigit(next) else { throw failure("expected a digit after the point") }
            while isDigit(next) { offset += 1 }
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            offset += 1
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard isDigit(next) else { throw failure("expected a digit in the exponent") }
            while isDigit(next) { offset += 1 }
        }
        return .number(String(decoding: bytes[start..<offset], as: UTF8.self))
    }

    private mutating func string() throws(JSONError) -> String {
        offset += 1
        let start = offset
        // Most strings have no escapes: one scan, one validated copy.
        while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { offset += 1 }
        if next == UInt8(ascii: "\"") {
            let text = try validated(bytes[start..<offset], from: start)
            offset += 1
            return text
        }
        var unescaped = [UInt8](bytes[start..<offset])
        while true {
            guard let byte = next else { throw failure("the text ends inside a string") }
            offset += 1
            switch byte {
            case UInt8(ascii: "\""): return try validated(unescaped, from: start)
            case UInt8(ascii: "\\"): try appendEscape(to: &unescaped)
            case 0..<0x20: throw failure("a control character inside a string")
            default: unescaped.append(byte)
            }
        }
    }

    private func validated(_ utf8: some Collection<UInt8>, from start: Int) throws(JSONError) -> String {
        guard let text = String(validating: utf8, as: UTF8.self) else {
            throw JSONError(offset: start, problem: "a string that is not UTF-8")
        }
        return text
    }

    private mutating func appendEscape(to text: inout [UInt8]) throws(JSONError) {
        guard let byte = next else { throw failure("the text ends inside a string") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: Character(try escapedScalar()).utf8)
        default: throw failure("an unknown escape")
        }
    }

    /// The scalar of `\uXXXX`, or of the surrogate pair `\uXXXX\uXXXX`.
    private mutating func escapedScalar() throws(JSONError) -> Unicode.Scalar {
        let unit = try hexUnit()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard unit < 0xDC00, take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
            throw failure("half a surrogate pair")
        }
        let low = try hexUnit()
        guard (0xDC00...0xDFFF).contains(low),
            let scalar = Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
        else { throw failure("half a surrogate pair") }
        return scalar
    }

    private mutating func hexUnit() throws(JSONError) -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw failure("expected four hexadecimal digits")
            }
            unit = unit << 4 | UInt32(digit)
            offset += 1
        }
        return unit
    }
}
