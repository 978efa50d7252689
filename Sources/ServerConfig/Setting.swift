import Core

/// One key of the configuration: how its value is read, checked, stored and shown. All knowledge about keys is in the
/// table `ServerConfiguration.settings`; files, environment and flags only bring values.
struct Setting: Sendable {
    /// `server.unix_socket`
    let path: String
    /// What a value must be, for errors: `an integer from 0 to 65535`.
    let expected: String
    /// Stores a value; false when it is not what is expected.
    let store: @Sendable (RawValue, inout ServerConfiguration) -> Bool
    /// The value as YAML.
    let show: @Sendable (ServerConfiguration) -> String

    init<Value>(
        _ path: String,
        _ property: WritableKeyPath<ServerConfiguration, Value> & Sendable,
        _ form: ValueForm<Value>
    ) {
        self.path = path
        expected = form.expected
        store = { raw, configuration in
            guard let value = form.read(raw) else { return false }
            configuration[keyPath: property] = value
            return true
        }
        show = { form.show($0[keyPath: property]) }
    }

    /// `CATENA_SERVER_UNIX_SOCKET`
    var environmentName: String {
        "CATENA_" + path.uppercased().replacing(".", with: "_")
    }

    /// `["server", "unix_socket"]`
    var keys: [Substring] {
        path.split(separator: ".")
    }
}

/// A value as it was written.
enum RawValue: Sendable, Hashable {
    /// A YAML scalar without quotes: its type is that of its spelling.
    case plain(String)
    /// A YAML scalar with quotes: text.
    case quoted(String)
    /// From the environment or the command line, where there are no quotes: whatever the key needs.
    case text(String)
    case null
    case list([RawValue])
    case mapping

    /// What was found, for an error message.
    var found: String {
        switch self {
        case .plain(let text), .text(let text): text.isEmpty ? "nothing" : text
        case .quoted(let text): "the text \"\(text)\""
        case .null: "null"
        case .list: "a list"
        case .mapping: "a section"
        }
    }

    /// The spelling of a number, a word or a quantity: never quoted.
    var word: String? {
        switch self {
        case .plain(let text), .text(let text): text
        default: nil
        }
    }
}
