import JSON

/// Strings and names are equal when their bytes are, doubles as numbers, members whatever their order.
extension JSONValue: Equatable {
    package static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.integer(let left), .integer(let right)): left == right
        case (.unsigned(let left), .unsigned(let right)): left == right
        case (.double(let left), .double(let right)): left == right
        case (.string(let left), .string(let right)): ExactKey(text: left) == ExactKey(text: right)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)):
            left.count == right.count && left.members.allSatisfy { right[$0.key] == $0.value }
        default: false
        }
    }

    static func object(_ members: (String, JSONValue)...) -> JSONValue {
        var object = JSONObject()
        for (key, value) in members { _ = object.add(key, value) }
        return .object(object)
    }
}
