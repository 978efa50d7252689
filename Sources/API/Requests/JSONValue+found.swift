import JSON

extension JSONValue {
    /// What was found, for an error message: `the string "12"`, `the number 3.5`, `a list`.
    var found: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): "the number \(value)"
        case .unsigned(let value): "the number \(value)"
        case .double(let value): "the number \(value)"
        case .string(let value): "the string \(quoted(value))"
        case .array(let values): values.isEmpty ? "an empty list" : "a list"
        case .object: "an object"
        }
    }
}
