// Content codings (RFC 9110, 8.4): what a body is wrapped in, and what a client takes.

/// A coding that this server knows.
public enum ContentCoding: Sendable, Hashable {
    case identity
    case gzip

    /// Reads a name; `x-gzip` is gzip (RFC 9110, 8.4.1.3).
    init?(_ name: ArraySlice<UInt8>) {
        if equalsIgnoringCase(name, "gzip") || equalsIgnoringCase(name, "x-gzip") {
            self = .gzip
        } else if equalsIgnoringCase(name, "identity") {
            self = .identity
        } else {
            return nil
        }
    }
}

extension HTTPHeaders {
    /// What `Content-Encoding` says the body is coded with; nil for an unknown coding, and for more than one.
    ///
    /// Attack: gzip in gzip in gzip multiplies what one byte inflates to, and no client needs it.
    public var contentCoding: ContentCoding? {
        var coding = ContentCoding.identity
        for field in fields where equalsIgnoringCase(name(field), "content-encoding") {
            // RFC 9110, 5.6.1.2: empty elements of a list are ignored.
            for element in elements(value(field)) where !element.isEmpty {
                guard let next = ContentCoding(element), next == .identity || coding == .identity else { return nil }
                if next != .identity { coding = next }
            }
        }
        return coding
    }

    /// Whether `Accept-Encoding` asks for gzip (RFC 9110, 12.5.3): it is listed, or `*` is, with a weight above 0, and
    /// identity is not preferred to it. Without the field a server may choose; this one leaves the answer as it is.
    public var acceptsGzip: Bool {
        var gzip: Int?
        var identity: Int?
        var others: Int?
        for field in fields where equalsIgnoringCase(name(field), "accept-encoding") {
            for element in elements(value(field)) {
                let parts = element.split(separator: .semicolon, maxSplits: 1, omittingEmptySubsequences: false)
                let coding = trimmingWhitespace(parts[0])
                // An element that cannot be read asks for nothing.
                let weight = parts.count == 1 ? 1000 : Self.weight(trimmingWhitespace(parts[1])) ?? 0
                switch ContentCoding(coding) {
                case .gzip: gzip = Swift.max(gzip ?? 0, weight)
                case .identity: identity = weight
                case nil: if coding.elementsEqual(CollectionOfOne(UInt8(ascii: "*"))) { others = weight }
                }
            }
        }
        let wanted = gzip ?? others ?? 0
        return wanted > 0 && wanted >= identity ?? others ?? 0
    }

    /// `q=0.8` in thousandths: one digit, which is 0 or 1, and at most three after the point (RFC 9110, 12.4.2).
    private static func weight(_ parameter: ArraySlice<UInt8>) -> Int? {
        guard parameter.count > 2, equalsIgnoringCase(parameter.prefix(2), "q=") else { return nil }
        let text = parameter.dropFirst(2)
        guard let first = text.first, first == UInt8(ascii: "0") || first == UInt8(ascii: "1"),
            text.count == 1 || text.dropFirst().first == UInt8(ascii: ".")
        else { return nil }
        var value = Int(first - UInt8(ascii: "0"))
        let decimals = text.dropFirst(2)
        guard decimals.count <= 3, decimals.allSatisfy(\.isDigit) else { return nil }
        for digit in decimals { value = value * 10 + Int(digit - UInt8(ascii: "0")) }
        for _ in decimals.count..<3 { value *= 10 }
        return value <= 1000 ? value : nil
    }
}
