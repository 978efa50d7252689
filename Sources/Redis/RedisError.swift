/// Why Redis did not do what it was asked for.
public enum RedisError: Error, Sendable, Hashable, CustomStringConvertible {
    /// There is no connection, or it broke: what the system says of it.
    case unreachable(String)
    /// Nothing came in time: while connecting, sending or receiving, or before the thread that does so was free.
    case timedOut
    /// It cannot be logged in.
    case denied(String)
    /// It answered a command with an error.
    case refused(String)
    /// What came is not the answer to what was asked.
    case unexpected(String)
    /// It failed so often that it is left alone for now.
    case leftAlone

    public var description: String {
        switch self {
        case .unreachable(let problem): "Redis cannot be reached: \(problem)"
        case .timedOut: "Redis did not answer in time"
        case .denied(let problem):
            "Redis does not let this server in (\(problem)); sessions.redis.user, password or database are not right"
        case .refused(let problem): "Redis answered with an error: \(problem)"
        case .unexpected(let problem): "Redis answered something unexpected: \(problem)"
        case .leftAlone: "Redis is left alone for a while, because it failed before"
        }
    }

    /// Whether it speaks of Redis itself, and not only of one command.
    var isOutage: Bool {
        switch self {
        case .unreachable, .timedOut, .denied, .unexpected: true
        case .refused, .leftAlone: false
        }
    }
}
