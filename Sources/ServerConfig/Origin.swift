/// Where a value comes from.
public enum Origin: Sendable, Hashable, CustomStringConvertible {
    case defaultValue
    /// Line and column count from 1.
    case file(name: String, line: Int, column: Int)
    /// The name of a variable.
    case environment(String)
    /// The flag as typed, `--port`.
    case flag(String)

    public var description: String {
        switch self {
        case .defaultValue: "default"
        case .file(let name, let line, let column): "\(name):\(line):\(column)"
        case .environment(let name): "environment variable \(name)"
        case .flag(let flag): "flag \(flag)"
        }
    }
}

/// One thing that is wrong with a configuration.
public struct ConfigurationProblem: Error, Sendable, Hashable, CustomStringConvertible {
    public var origin: Origin
    /// What was found and what would be right, the key's path in it.
    public var message: String

    /// `config.yaml:3:9: server.port must be an integer from 0 to 65535; got 99999.`
    public var description: String { "\(origin): \(message)" }
}

/// Everything that is wrong with a configuration, in the order file, environment, flags.
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    public var problems: [ConfigurationProblem]

    /// One line for each problem.
    public var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}
