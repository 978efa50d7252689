import HTTP1

/// What a path stands for, and the methods it knows.
enum Route: Sendable, Hashable {
    case completions
    case models
    case model(String)
    case health
    case readiness
    /// `OPTIONS *`: the server as a whole (RFC 9110, 9.3.7).
    case server

    /// - Returns: nil for a path that stands for nothing.
    init?(_ target: RequestTarget) {
        switch target.path {
        case "/v1/completions": self = .completions
        case "/v1/models": self = .models
        case "/health": self = .health
        case "/readyz": self = .readiness
        case "*" where target.form == .asterisk: self = .server
        case let path:
            let prefix = "/v1/models/"
            guard path.hasPrefix(prefix), path.utf8.count > prefix.utf8.count,
                let id = Self.percentDecoded(path.dropFirst(prefix.count))
            else { return nil }
            self = .model(id)
        }
    }

    /// In the order of `Allow`.
    var methods: [HTTPMethod] {
        switch self {
        case .completions: [.post, .options]
        case .models, .model, .health, .readiness: [.get, .head, .options]
        case .server: [.options]
        }
    }

    /// The methods as `Allow` lists them; those of all paths for the server as a whole.
    var allow: [String] {
        let methods: [HTTPMethod] = self == .server ? [.get, .head, .post, .options] : methods
        return methods.map(\.name)
    }

    /// - Throws: 404 or 405.
    static func find(_ head: RequestHead) throws(APIError) -> Route {
        guard let route = Route(head.target) else { throw .unknownPath(head.method.name, head.path) }
        guard route.methods.contains(head.method) else {
            throw .wrongMethod(head.method.name, head.path, allow: route.allow)
        }
        return route
    }

    /// RFC 3986, section 2.1. Nil for a broken escape and for what is not UTF-8.
    static func percentDecoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2).compactMap { Character(UnicodeScalar($0)).hexDigitValue }
            guard digits.count == 2 else { return nil }
            bytes.append(UInt8(digits[0] << 4 | digits[1]))
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
