import HTTP1

/// What a request's path stands for: an endpoint, and the parameter that ends its path.
struct Route: Sendable, Hashable {
    var endpoint: Endpoint
    /// Decoded; never empty where the endpoint has one, empty where it has none.
    var parameter = ""

    /// - Returns: nil for a path that stands for nothing.
    init?(_ target: RequestTarget) {
        let path = target.path
        if let endpoint = Endpoint(rawValue: path), endpoint.prefix == nil {
            guard endpoint != .server || target.form == .asterisk else { return nil }
            self.endpoint = endpoint
            return
        }
        for endpoint in Endpoint.allCases {
            guard let prefix = endpoint.prefix, path.hasPrefix(prefix), path.utf8.count > prefix.utf8.count else {
                continue
            }
            guard let parameter = Self.percentDecoded(path.dropFirst(prefix.count)) else { return nil }
            self.endpoint = endpoint
            self.parameter = parameter
            return
        }
        return nil
    }

    /// - Throws: 404 or 405.
    static func find(_ head: RequestHead, hasPlayground: Bool) throws(APIError) -> Route {
        guard let route = Route(head.target), hasPlayground || route.endpoint != .playground else {
            throw .unknownPath(head.method.name, head.path)
        }
        guard route.endpoint.methods.contains(head.method) else {
            throw .wrongMethod(head.method.name, head.path, allow: route.endpoint.allow)
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
