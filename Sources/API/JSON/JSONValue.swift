/// A parsed JSON value (RFC 8259), as a request body holds it.
///
/// Integers keep all 64 bits: a seed above 2^53 must not lose its low bits on the way through a `Double`.
enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// A number written without fraction and exponent that fits 64 bits with a sign.
    case integer(Int64)
    /// The same, above `Int64.max`.
    case unsigned(UInt64)
    /// Any other number. Always finite.
    case double(Double)
    case string(String)
    case array([JSONValue])
    /// Names are unique: the parser refuses an object that repeats one.
    case object([String: JSONValue])
}

extension JSONValue {
    /// What was found, for an error message: `the string "12"`, `the number 3.5`, `a list`.
    var found: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): "the number \(value)"
        case .unsigned(let value): "the number \(value)"
        case .double(let value): "the number \(value)"
        case .string(let value): "the string \(Self.quoted(value))"
        case .array(let values): values.isEmpty ? "an empty list" : "a list"
        case .object: "an object"
        }
    }

    /// A client's text inside an error message: quoted, and cut so that a megabyte is not sent back.
    static func quoted(_ text: String) -> String {
        let limit = 60
        let head = text.unicodeScalars.prefix(limit + 1)
        guard head.count > limit else { return "\"\(text)\"" }
        return "\"\(String(String.UnicodeScalarView(head.prefix(limit))))…\""
    }

    /// The value as an integer of any 64-bit kind; numbers such as `16.0` count, because many clients have no integers.
    var wholeNumber: WholeNumber? {
        switch self {
        case .integer(let value): .signed(value)
        case .unsigned(let value): .unsigned(value)
        case .double(let value): Int64(exactly: value).map { .signed($0) }
        default: nil
        }
    }

    /// The value as a real number.
    var realNumber: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .unsigned(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }
}

/// An integer of 64 bits, with or without a sign.
enum WholeNumber: Sendable, Hashable {
    case signed(Int64)
    /// Above `Int64.max`.
    case unsigned(UInt64)

    /// The value as an `Int`, or nil when it does not fit.
    var int: Int? {
        switch self {
        case .signed(let value): Int(exactly: value)
        case .unsigned: nil
        }
    }

    /// The same 64 bits without a sign: -1 is `UInt64.max`.
    var bitPattern: UInt64 {
        switch self {
        case .signed(let value): UInt64(bitPattern: value)
        case .unsigned(let value): value
        }
    }
}
