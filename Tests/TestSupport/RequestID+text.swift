import Core

/// Tests call requests by words. Two different words are two different requests.
extension RequestID: ExpressibleByStringInterpolation {
    public init(_ text: String) {
        // FNV-1a.
        self.init(text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 })
    }

    public init(stringLiteral text: String) { self.init(text) }
}
