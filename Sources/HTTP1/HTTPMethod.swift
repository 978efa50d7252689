/// A request method (RFC 9110, 9; PATCH is RFC 5789). Methods are case-sensitive: `get` is not `GET`.
public enum HTTPMethod: Sendable, Hashable {
    case get, head, post, put, delete, options, trace, patch, connect
    /// A well-formed token that is none of the above. RFC 9110, 9.1: answer 501.
    case unrecognized(String)

    /// Any spelling makes a method; unknown ones become `unrecognized`.
    public init(_ name: String) {
        self =
            switch name {
            case "GET": .get
            case "HEAD": .head
            case "POST": .post
            case "PUT": .put
            case "DELETE": .delete
            case "OPTIONS": .options
            case "TRACE": .trace
            case "PATCH": .patch
            case "CONNECT": .connect
            default: .unrecognized(name)
            }
    }

    /// The method as it stands in a request line.
    public var name: String {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .trace: "TRACE"
        case .patch: "PATCH"
        case .connect: "CONNECT"
        case .unrecognized(let name): name
        }
    }

    /// Whether the method is safe (RFC 9110, 9.2.1). Only safe requests of one connection may be worked on at the same
    /// time (RFC 9112, 9.3.2).
    public var isSafe: Bool {
        switch self {
        case .get, .head, .options, .trace: true
        default: false
        }
    }
}
