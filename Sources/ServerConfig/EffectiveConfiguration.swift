import FoundationEssentials

/// A value from the command line.
public struct ConfigurationFlag: Sendable, Hashable {
    /// The key, `server.port`.
    public var path: String
    /// The value as typed.
    public var text: String
    /// The flag as typed, `--port`.
    public var flag: String

    public init(path: String, text: String, flag: String) {
        self.path = path
        self.text = text
        self.flag = flag
    }
}

/// A configuration put together: flags before the environment before the file before the defaults.
///
/// ```swift
/// let configuration = try EffectiveConfiguration(
///     file: "config.yaml",
///     environment: ProcessInfo.processInfo.environment,
///     flags: [ConfigurationFlag(path: "server.port", text: "9000", flag: "--port")]
/// )
/// print(configuration.describe())
/// ```
public struct EffectiveConfiguration: Sendable, Hashable {
    public private(set) var values = ServerConfiguration()
    /// Variables that look like keys and are none. Not an error: other programs may put them there (Kubernetes names
    /// variables after services).
    public private(set) var warnings: [ConfigurationProblem] = []
    private var origins: [String: Origin] = [:]

    /// Variables of this project that are no configuration: they concern the build and the kernels.
    static let otherVariables: Set<String> = ["CATENA_STRICT", "CATENA_FUZZ", "CATENA_CPU", "CATENA_CONFIG"]

    /// Reads a file. Nil: none.
    /// - Throws: everything that is wrong, not only the first.
    public init(
        file: String?,
        environment: [String: String] = [:],
        flags: [ConfigurationFlag] = []
    ) throws(ConfigurationError) {
        guard let file else {
            try self.init(yaml: "", name: "", environment: environment, flags: flags)
            return
        }
        let text: String
        do {
            text = try String(contentsOfFile: file, encoding: .utf8)
        } catch {
            let origin = Origin.file(name: file, line: 1, column: 1)
            let message = "the file does not exist, may not be read, or is not UTF-8."
            throw ConfigurationError(problems: [ConfigurationProblem(origin: origin, message: message)])
        }
        try self.init(yaml: text, name: file, environment: environment, flags: flags)
    }

    /// Reads YAML. An empty variable counts as none.
    /// - Parameter name: of the file, for messages.
    public init(
        yaml: String,
        name: String,
        environment: [String: String] = [:],
        flags: [ConfigurationFlag] = []
    ) throws(ConfigurationError) {
        let file = ConfigurationFile(yaml, name: name)
        var problems = file.problems
        for value in file.values + Self.values(of: environment) { assign(value, &problems) }
        for flag in flags {
            let origin = Origin.flag(flag.flag)
            if let setting = ServerConfiguration.settings.first(where: { $0.path == flag.path }) {
                assign(AssignedValue(setting: setting, raw: .text(flag.text), origin: origin), &problems)
            } else {
                let message = Spelling.unknown(flag.path, among: ServerConfiguration.settings.map(\.path))
                problems.append(ConfigurationProblem(origin: origin, message: message))
            }
        }
        if problems.isEmpty { problems = conflicts() + redisConflicts() }
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
        warnings = Self.unknownVariables(of: environment)
    }

    /// Where the value of a key comes from.
    public func origin(of path: String) -> Origin {
        origins[path] ?? .defaultValue
    }

    /// The configuration as YAML, each value with its origin behind it.
    public func describe() -> String {
        var lines: [String] = []
        var section: [Substring] = []
        for setting in ServerConfiguration.settings {
            let parents = setting.keys.dropLast()
            let common = zip(section, parents).prefix { $0 == $1 }.count
            for (depth, key) in parents.enumerated().dropFirst(common) {
                lines.append(String(repeating: "  ", count: depth) + "\(key):")
            }
            section = Array(parents)
            let indent = String(repeating: "  ", count: parents.count)
            let value = setting.show(values)
            lines.append("\(indent)\(setting.keys.last ?? ""): \(value)  # \(origin(of: setting.path))")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private mutating func assign(_ value: AssignedValue, _ problems: inout [ConfigurationProblem]) {
        if value.setting.store(value.raw, &values) {
            origins[value.setting.path] = value.origin
        } else {
            let message = "\(value.setting.path) must be \(value.setting.expected); got \(value.raw.found)."
            problems.append(ConfigurationProblem(origin: value.origin, message: message))
        }
    }

    private static func values(of environment: [String: String]) -> [AssignedValue] {
        ServerConfiguration.settings.compactMap { setting in
            guard let text = environment[setting.environmentName], !text.isEmpty else { return nil }
            return AssignedValue(setting: setting, raw: .text(text), origin: .environment(setting.environmentName))
        }
    }

    private static func unknownVariables(of environment: [String: String]) -> [ConfigurationProblem] {
        let known = ServerConfiguration.settings.map(\.environmentName)
        let unknown = environment.keys.filter { name in
            name.hasPrefix("CATENA_") && !otherVariables.contains(name) && !known.contains(name)
        }
        return unknown.sorted().map { name in
            let nearest = Spelling.nearest(to: name, among: known)
            let hint = nearest.map { "; did you mean \($0)?" } ?? "."
            return ConfigurationProblem(origin: .environment(name), message: "this is no key of Catena\(hint)")
        }
    }

    /// Values that are right each for itself and cannot be meant together.
    private func conflicts() -> [ConfigurationProblem] {
        var problems = listenerConflicts()
        let limits = values.http.limits
        for (path, size) in [("http.limits.body", limits.body), ("http.limits.inflated_body", limits.inflatedBody)]
        where size > limits.bodiesTotal {
            let message =
                "http.limits.bodies_total (\(Quantity.bytes.show(limits.bodiesTotal))) must be at least \(path) "
                + "(\(Quantity.bytes.show(size)), \(origin(of: path))), or no such body could come."
            problems.append(ConfigurationProblem(origin: origin(of: "http.limits.bodies_total"), message: message))
        }
        if let most = values.model.maxChains, values.model.defaultChains.bounds(available: most) == nil {
            let message =
                "model.default_chains asks for chains that model.max_chains (\(most), "
                + "\(origin(of: "model.max_chains"))) does not load."
            problems.append(ConfigurationProblem(origin: origin(of: "model.default_chains"), message: message))
        }
        if values.log.prompts, values.log.access == nil {
            let message = "log.prompts is of no use without log.access; set that, or leave both out."
            problems.append(ConfigurationProblem(origin: origin(of: "log.prompts"), message: message))
        }
        if values.cors.origins.contains("*"), values.cors.origins.count > 1 {
            let message = "cors.origins has * among others; give * alone for all origins, or leave it out."
            problems.append(ConfigurationProblem(origin: origin(of: "cors.origins"), message: message))
        }
        let (running, tokens) = (values.scheduler.maxRunning, values.scheduler.stepTokens)
        if tokens < running {
            let message =
                "scheduler.step_tokens (\(tokens)) must be at least scheduler.max_running (\(running), "
                + "\(origin(of: "scheduler.max_running"))), so that every running request gets its token in every step."
            problems.append(ConfigurationProblem(origin: origin(of: "scheduler.step_tokens"), message: message))
        }
        return problems
    }

    /// Linux, unix(7): `sun_path` has 108 bytes, with a zero at the end.
    private static let longestSocketPath = 107

    private func redisConflicts() -> [ConfigurationProblem] {
        let redis = values.sessions.redis
        var problems: [ConfigurationProblem] = []
        if redis.tls {
            let message =
                "sessions.redis.tls must be false: the client library, hiredis 0.14 of Debian 12, has no TLS. Reach Redis "
                + "through a private network or a tunnel, such as stunnel on this machine."
            problems.append(ConfigurationProblem(origin: origin(of: "sessions.redis.tls"), message: message))
        }
        if redis.host != nil, redis.unixSocket != nil {
            let message =
                "sessions.redis.unix_socket and sessions.redis.host (\(origin(of: "sessions.redis.host"))) are both set; "
                + "leave one out."
            problems.append(ConfigurationProblem(origin: origin(of: "sessions.redis.unix_socket"), message: message))
        }
        if let path = redis.unixSocket, path.utf8.count > Self.longestSocketPath {
            let message =
                "sessions.redis.unix_socket must be a path of at most \(Self.longestSocketPath) bytes, which is what the "
                + "system takes; got \(path.utf8.count)."
            problems.append(ConfigurationProblem(origin: origin(of: "sessions.redis.unix_socket"), message: message))
        }
        if redis.password != nil, redis.passwordFile != nil {
            let message =
                "sessions.redis.password_file and sessions.redis.password "
                + "(\(origin(of: "sessions.redis.password"))) are both set; leave one out."
            problems.append(ConfigurationProblem(origin: origin(of: "sessions.redis.password_file"), message: message))
        }
        if redis.user != nil, redis.password == nil, redis.passwordFile == nil {
            let message = "sessions.redis.user is of no use without sessions.redis.password or password_file."
            problems.append(ConfigurationProblem(origin: origin(of: "sessions.redis.user"), message: message))
        }
        return problems
    }

    private func listenerConflicts() -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        let server = values.server
        for (path, file) in [("server.tls.certificate", server.tls.certificate), ("server.tls.key", server.tls.key)] {
            if server.tls.port != nil, file == nil {
                let message = "server.tls.port is set, so \(path) must be the path of a PEM file; got null."
                problems.append(ConfigurationProblem(origin: origin(of: "server.tls.port"), message: message))
            } else if server.tls.port == nil, file != nil {
                let message = "\(path) is of no use without server.tls.port; set that, or leave both out."
                problems.append(ConfigurationProblem(origin: origin(of: path), message: message))
            }
        }
        if !server.plain, server.tls.port == nil, server.unixSocket == nil {
            let message = "server.plain is false, so server.tls.port or server.unix_socket must be set."
            problems.append(ConfigurationProblem(origin: origin(of: "server.plain"), message: message))
        }
        return problems
    }
}
