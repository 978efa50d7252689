/// A parsed JSON value (RFC 8259).
///
/// Integers keep all 64 bits: a seed or an extent above 2^53 must not lose its low bits on the way through a `Double`.
package enum JSONValue: Sendable {
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
    case object(JSONObject)

    /// The integer that the text spells without fraction or exponent, if it fits.
    package var int: Int? {
        guard case .integer(let value) = self else { return nil }
        return Int(exactly: value)
    }

    /// Any number as a double, rounded when it is an integer above 2^53.
    package var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .unsigned(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// The value if it is `true` or `false`.
    package var bool: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    /// The value if it is a string.
    package var string: String? {
        guard case .string(let value) = self else { return nil }
        return value
    }

    /// The elements if it is an array.
    package var array: [JSONValue]? {
        guard case .array(let values) = self else { return nil }
        return values
    }

    /// The members if it is an object.
    package var object: JSONObject? {
        guard case .object(let value) = self else { return nil }
        return value
    }

    /// Whether it is `null`.
    package var isNull: Bool {
        guard case .null = self else { return false }
        return true
    }
}
