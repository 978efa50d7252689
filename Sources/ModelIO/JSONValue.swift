// A parsed JSON text, for the files of a model folder: small, strict, and exact about keys.

/// A JSON value. Numbers keep their text, so that an integer is never rounded on its way.
package enum JSONValue: Sendable {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// The integer that the text spells without fraction or exponent, if it fits.
    package var int: Int? {
        guard case .number(let text) = self else { return nil }
        return Int(text)
    }

    /// The number as a double, finite.
    package var double: Double? {
        guard case .number(let text) = self, let value = Double(text), value.isFinite else { return nil }
        return value
    }

    package var bool: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    package var string: String? {
        guard case .string(let value) = self else { return nil }
        return value
    }

    package var array: [JSONValue]? {
        guard case .array(let values) = self else { return nil }
        return values
    }

    package var object: JSONObject? {
        guard case .object(let value) = self else { return nil }
        return value
    }

    package var isNull: Bool {
        guard case .null = self else { return false }
        return true
    }

    /// What the value is, for error messages.
    package var summary: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let text): String(text.prefix(40))
        case .string(let text): quoted(text)
        case .array(let values): "a list of \(values.count)"
        case .object(let object): "an object of \(object.count) members"
        }
    }
}

/// The members of a JSON object in the order of the text; every key occurs once.
///
/// Keys are equal when their bytes are. Swift's `String` equality would also join canonically equivalent spellings,
/// which are different tokens in a vocabulary and different tensors in a file.
package struct JSONObject: Sendable {
    package private(set) var members: [(key: String, value: JSONValue)] = []
    private var index: [ExactKey: Int] = [:]

    package init() {}

    package var count: Int { members.count }

    package subscript(key: String) -> JSONValue? {
        index[ExactKey(text: key)].map { members[$0].value }
    }

    /// Adds a member. Returns false, adding nothing, if the key is there already.
    package mutating func add(_ key: String, _ value: JSONValue) -> Bool {
        guard index.updateValue(members.count, forKey: ExactKey(text: key)) == nil else { return false }
        members.append((key, value))
        return true
    }
}

/// A string compared and hashed by its UTF-8 bytes.
package struct ExactKey: Hashable, Sendable {
    package let text: String

    package init(text: String) { self.text = text }

    package static func == (left: Self, right: Self) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    package func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
