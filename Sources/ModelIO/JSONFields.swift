// Reading the members of a JSON object of a model file by key and type, with errors that name file and key.

import JSON

/// A JSON object of a file, and where in the file it is.
package struct JSONFields {
    package let file: String
    /// Keys that lead to the object, with a dot after each; empty for the whole file.
    private let path: String
    private let object: JSONObject

    /// Parses the text of a whole file, which must be one object.
    package init(parsing bytes: UnsafeRawBufferPointer, file: String) throws(ModelFileError) {
        let value: JSONValue
        do {
            value = try JSONParser.parse(bytes, of: "the file")
        } catch {
            throw ModelFileError(.malformed, file: file, problem: "not JSON: \(error.problem) at byte \(error.offset)")
        }
        guard let object = value.object else {
            throw ModelFileError(.malformed, file: file, problem: "is \(value.summary)", expectation: "an object")
        }
        self.init(object, path: "", file: file)
    }

    /// The object at `path` (its keys, joined and ended by dots) of `file`.
    package init(_ object: JSONObject, path: String, file: String) {
        self.object = object
        self.path = path
        self.file = file
    }

    package var members: [(key: String, value: JSONValue)] { object.members }

    /// The value of `key`; nil if it is absent or null.
    package func value(_ key: String) -> JSONValue? { object[key].flatMap { $0.isNull ? nil : $0 } }

    package func inconsistent(_ key: String, _ problem: String, _ expectation: String) -> ModelFileError {
        ModelFileError(.inconsistent, file: file, item: path + key, problem: problem, expectation: expectation)
    }

    package func unsupported(_ key: String, _ problem: String, _ expectation: String) -> ModelFileError {
        ModelFileError(.unsupported, file: file, item: path + key, problem: problem, expectation: expectation)
    }

    /// The value of `key` as `convert` sees it, nil if absent or null; an error if `convert` makes nothing of it.
    private func optional<Value>(
        _ key: String,
        _ expectation: String,
        _ convert: (JSONValue) -> Value?
    ) throws(ModelFileError) -> Value? {
        guard let value = value(key) else { return nil }
        guard let converted = convert(value) else { throw inconsistent(key, "is \(value.summary)", expectation) }
        return converted
    }

    private func required<Value>(_ key: String, _ value: Value?, _ expectation: String) throws(ModelFileError) -> Value
    {
        guard let value else { throw inconsistent(key, "is missing", expectation) }
        return value
    }

    package func optionalInt(_ key: String) throws(ModelFileError) -> Int? {
        try optional(key, "an integer") { $0.int }
    }
    package func optionalDouble(_ key: String) throws(ModelFileError) -> Double? {
        try optional(key, "a number") { $0.double }
    }
    package func optionalBool(_ key: String) throws(ModelFileError) -> Bool? {
        try optional(key, "true or false") { $0.bool }
    }
    package func optionalString(_ key: String) throws(ModelFileError) -> String? {
        try optional(key, "a string") { $0.string }
    }
    package func optionalArray(_ key: String) throws(ModelFileError) -> [JSONValue]? {
        try optional(key, "a list") { $0.array }
    }

    package func int(_ key: String) throws(ModelFileError) -> Int { try required(key, optionalInt(key), "an integer") }
    package func double(_ key: String) throws(ModelFileError) -> Double {
        try required(key, optionalDouble(key), "a number")
    }
    package func bool(_ key: String) throws(ModelFileError) -> Bool {
        try required(key, optionalBool(key), "true or false")
    }
    package func string(_ key: String) throws(ModelFileError) -> String {
        try required(key, optionalString(key), "a string")
    }
    package func array(_ key: String) throws(ModelFileError) -> [JSONValue] {
        try required(key, optionalArray(key), "a list")
    }

    package func ints(_ key: String) throws(ModelFileError) -> [Int] {
        var values: [Int] = []
        for element in try array(key) {
            guard let value = element.int else { throw inconsistent(key, "holds \(element.summary)", "integers") }
            values.append(value)
        }
        return values
    }

    package func optionalObject(_ key: String) throws(ModelFileError) -> JSONFields? {
        guard let object = try optional(key, "an object", { $0.object }) else { return nil }
        return JSONFields(object, path: path + key + ".", file: file)
    }

    package func object(_ key: String) throws(ModelFileError) -> JSONFields {
        try required(key, optionalObject(key), "an object")
    }

    /// The objects of a list.
    package func optionalObjects(_ key: String) throws(ModelFileError) -> [JSONFields]? {
        guard let elements = try optionalArray(key) else { return nil }
        var objects: [JSONFields] = []
        for (position, element) in elements.enumerated() {
            guard let object = element.object else { throw inconsistent(key, "holds \(element.summary)", "objects") }
            objects.append(JSONFields(object, path: "\(path)\(key)[\(position)].", file: file))
        }
        return objects
    }
}

extension JSONValue {
    /// What the value is, for error messages.
    package var summary: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .unsigned(let value): "\(value)"
        case .double(let value): "\(value)"
        case .string(let text): quoted(text)
        case .array(let values): "a list of \(values.count)"
        case .object(let object): "an object of \(object.count) members"
        }
    }
}
