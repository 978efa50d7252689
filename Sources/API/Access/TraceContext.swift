/// A request's place in a distributed trace, from `traceparent` (W3C Trace Context, https://www.w3.org/TR/trace-context/).
struct TraceContext: Sendable, Hashable {
    /// 32 hexadecimal digits.
    let traceID: String
    /// This server's span: 16 hexadecimal digits.
    let spanID: String
    /// Whether the caller records the trace.
    let isSampled: Bool

    /// Section 3.2. Nil without the header, and for one that is not valid, which counts as none (section 4.3).
    /// - Parameter values: of all headers of the name.
    init?(_ values: [String], using random: inout some RandomNumberGenerator) {
        guard values.count == 1, let value = values.first else { return nil }
        let bytes = Array(value.utf8)
        // Versions to come may have more behind another dash; this one has not.
        guard bytes.count == 55 || (bytes.count > 55 && bytes[55] == UInt8(ascii: "-")) else { return nil }
        let parts = bytes[..<55].split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.map(\.count) == [2, 32, 16, 2], parts.joined().allSatisfy(Self.isDigit) else { return nil }
        let texts = parts.map { String(decoding: $0, as: UTF8.self) }
        guard texts[0] != "ff", texts[0] != "00" || bytes.count == 55 else { return nil }
        guard let flags = UInt8(texts[3], radix: 16) else { return nil }
        for id in parts[1...2] where id.allSatisfy({ $0 == UInt8(ascii: "0") }) { return nil }
        traceID = texts[1]
        isSampled = flags & 1 == 1
        // Of 16 digits, and never all zero.
        spanID = String(String(random.next() | 1 << 60, radix: 16).suffix(16))
    }

    init?(_ values: [String]) {
        guard !values.isEmpty else { return nil }
        var random = SystemRandomNumberGenerator()
        self.init(values, using: &random)
    }

    /// The header of the answer: the same trace, our span, and of the flags the one that this version knows.
    var header: String { "00-\(traceID)-\(spanID)-\(isSampled ? "01" : "00")" }

    /// Lower case only (section 3.2.2).
    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}
