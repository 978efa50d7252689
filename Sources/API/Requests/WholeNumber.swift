import JSON

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

extension JSONValue {
    /// The value as an integer of any 64-bit kind; numbers such as `16.0` count, because many clients have no integers.
    var wholeNumber: WholeNumber? {
        switch self {
        case .integer(let value): .signed(value)
        case .unsigned(let value): .unsigned(value)
        case .double(let value): Int64(exactly: value).map { .signed($0) }
        default: nil
        }
    }
}
