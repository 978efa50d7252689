import Core
import JSON

/// The members of a request's JSON object, read by name and type. `null` reads as absent. Every error names the field,
/// what was found and what would be right.
struct RequestFields {
    private let members: JSONObject

    /// - Throws: 400 when `body` is not one JSON object.
    init(body: [UInt8]) throws(APIError) {
        let value: JSONValue
        do {
            value = try JSONParser.parse(body, of: "the body")
        } catch {
            throw .invalid(
                "The body is not valid JSON: \(error.problem), at line \(error.line), column \(error.column).",
                code: "invalid_json"
            )
        }
        guard case .object(let members) = value else {
            throw .invalid("The body must be a JSON object; got \(value.found).")
        }
        self.init(members)
    }

    init(_ members: JSONObject) {
        self.members = members
    }

    /// The value of a field, nil when absent or null.
    subscript(name: String) -> JSONValue? {
        members[name].flatMap { $0.isNull ? nil : $0 }
    }

    /// Whether the object has the field, be it null.
    func names(_ name: String) -> Bool { members[name] != nil }

    func bool(_ name: String) throws(APIError) -> Bool? {
        guard let value = self[name] else { return nil }
        guard case .bool(let bool) = value else { throw Self.wrong(name, "true or false", value) }
        return bool
    }

    func string(_ name: String) throws(APIError) -> String? {
        guard let value = self[name] else { return nil }
        guard case .string(let string) = value else { throw Self.wrong(name, "a string", value) }
        return string
    }

    func integer(_ name: String, in range: ClosedRange<Int>) throws(APIError) -> Int? {
        guard let value = self[name] else { return nil }
        guard let number = value.wholeNumber?.int, range.contains(number) else {
            let bounds =
                range.upperBound == .max
                ? "an integer of at least \(range.lowerBound)"
                : "an integer from \(range.lowerBound) to \(range.upperBound)"
            throw Self.wrong(name, bounds, value)
        }
        return number
    }

    func number(_ name: String, in range: ClosedRange<Double>) throws(APIError) -> Double? {
        guard let value = self[name] else { return nil }
        guard let number = value.double, range.contains(number) else {
            throw Self.wrong(name, "a number from \(range.lowerBound) to \(range.upperBound)", value)
        }
        return number
    }

    /// A 64-bit integer, with or without a sign, as its bits.
    func seed(_ name: String) throws(APIError) -> UInt64? {
        guard let value = self[name] else { return nil }
        guard let number = value.wholeNumber else { throw Self.wrong(name, "an integer of 64 bits", value) }
        return number.bitPattern
    }

    func object(_ name: String) throws(APIError) -> JSONObject? {
        guard let value = self[name] else { return nil }
        guard case .object(let members) = value else { throw Self.wrong(name, "an object", value) }
        return members
    }

    /// "'max_tokens' must be an integer of at least 0; got the string "12"."
    static func wrong(_ name: String, _ expected: String, _ value: JSONValue) -> APIError {
        .invalid("'\(name)' must be \(expected); got \(value.found).", param: name)
    }
}

// MARK: - Tokens

extension RequestFields {
    /// A list of token ids that the vocabulary has. `path` is how errors name the list: `prompt[2]`.
    static func tokens(
        _ values: [JSONValue],
        of name: String,
        path: String,
        vocabularySize: Int
    ) throws(APIError) -> [TokenID] {
        var tokens: [TokenID] = []
        tokens.reserveCapacity(values.count)
        for (index, value) in values.enumerated() {
            guard let token = value.wholeNumber?.int, (0..<vocabularySize).contains(token) else {
                throw .invalid(
                    "'\(path)[\(index)]' must be a token id from 0 to \(vocabularySize - 1); got \(value.found).",
                    param: name
                )
            }
            tokens.append(TokenID(token))
        }
        return tokens
    }
}
