/// What a request asks for (RFC 9112, 3.2), split but not decoded.
public struct RequestTarget: Sendable, Hashable {
    public enum Form: Sendable, Hashable {
        /// `/path?query`
        case origin
        /// `http://host/path?query`, as sent to a proxy; its authority replaces Host (RFC 9112, 3.2.2).
        case absolute
        /// `*`, the server as a whole; OPTIONS only.
        case asterisk
    }

    public var form: Form
    /// Starts with `/`; percent escapes are checked but left as they are. `*` for the asterisk form.
    public var path: String
    /// What follows the first `?`, without it; nil where there is none. A `%` in it is not checked.
    public var query: String?
    /// `host[:port]` of the absolute form, nil otherwise.
    public var authority: String?

    public init(form: Form = .origin, path: String, query: String? = nil, authority: String? = nil) {
        self.form = form
        self.path = path
        self.query = query
        self.authority = authority
    }

    /// Reads a target, nil when it has none of the forms. Authority form belongs to CONNECT and is not read here.
    init?(_ bytes: ArraySlice<UInt8>, method: HTTPMethod) {
        switch bytes.first {
        case .slash:
            self.init(form: .origin, pathAndQuery: bytes, authority: nil)
        case UInt8(ascii: "*"):
            // RFC 9112, 3.2.4: the asterisk form is for OPTIONS alone.
            guard bytes.count == 1, method == .options else { return nil }
            self.init(form: .asterisk, path: "*")
        default:
            guard let colon = bytes.firstIndex(of: .colon),
                equalsIgnoringCase(bytes[..<colon], "http") || equalsIgnoringCase(bytes[..<colon], "https"),
                bytes[(colon + 1)...].starts(with: [.slash, .slash])
            else { return nil }
            let rest = bytes[(colon + 3)...]
            let end = rest.firstIndex { $0 == .slash || $0 == .questionMark } ?? rest.endIndex
            // RFC 9110, 4.2.1 and 4.2.4: an empty host is invalid, and user information hides the real one.
            guard Authority.isValid(rest[..<end]) else { return nil }
            let authority = String(decoding: rest[..<end], as: UTF8.self)
            if end == rest.endIndex && method == .options {
                // RFC 9112, 3.2.4: OPTIONS for a URI without path means the server as a whole.
                self.init(form: .asterisk, path: "*", authority: authority)
            } else {
                self.init(form: .absolute, pathAndQuery: rest[end...], authority: authority)
            }
        }
    }

    private init?(form: Form, pathAndQuery bytes: ArraySlice<UInt8>, authority: String?) {
        let mark = bytes.firstIndex(of: .questionMark) ?? bytes.endIndex
        guard hasValidEscapes(bytes[..<mark], { $0.isPathCharacter }) else { return nil }
        let path = mark == bytes.startIndex ? "/" : String(decoding: bytes[..<mark], as: UTF8.self)
        self.init(form: form, path: path, authority: authority)
        if mark < bytes.endIndex {
            let query = bytes[(mark + 1)...]
            guard query.allSatisfy(\.isQueryCharacter) else { return nil }
            self.query = String(decoding: query, as: UTF8.self)
        }
    }
}
