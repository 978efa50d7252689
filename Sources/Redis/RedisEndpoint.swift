import FoundationEssentials

/// Which Redis, and as whom.
public struct RedisEndpoint: Sendable, Hashable {
    public enum Password: Sendable, Hashable {
        case none
        case text(String)
        /// A file's first line, read for every new connection.
        case file(path: String)
    }

    /// Where it listens.
    public enum Place: Sendable, Hashable, CustomStringConvertible {
        /// A name or a numeric address.
        case tcp(host: String, port: UInt16)
        case unix(path: String)

        public var description: String {
            switch self {
            case .tcp(let host, let port): "\(host):\(port)"
            case .unix(let path): "unix:\(path)"
            }
        }
    }

    public var place: Place
    /// Nil: the default user.
    public var user: String?
    public var password = Password.none
    /// Its number.
    public var database = 0

    public init(_ place: Place) {
        self.place = place
    }

    /// What a new connection says first.
    func greeting() throws(RedisError) -> [RedisCommand] {
        var commands: [RedisCommand] = []
        if let password = try readPassword() {
            commands.append(RedisCommand(["AUTH"] + (user.map { [$0] } ?? []) + [password]))
        }
        if database != 0 { commands.append(RedisCommand(["SELECT", String(database)])) }
        commands.append(RedisCommand(["CLIENT", "SETNAME", "catena"]))
        return commands
    }

    /// - Throws: `denied` for a file that cannot be read.
    public func readPassword() throws(RedisError) -> String? {
        switch password {
        case .none: return nil
        case .text(let text): return text
        case .file(let path):
            guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
                throw .denied("its password file \(path) cannot be read, or is not UTF-8")
            }
            guard let line = text.split(whereSeparator: \.isNewline).first else {
                throw .denied("its password file \(path) is empty")
            }
            return String(line)
        }
    }
}
