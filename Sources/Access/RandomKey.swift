/// A new key: `sk-` and 48 letters and digits, 240 bits from the system's generator.
public struct RandomKey: Sendable, Hashable {
    /// Crockford's 32: none that look alike.
    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    /// What the client is given. It is stored nowhere.
    public let text: String

    public init() {
        var random = SystemRandomNumberGenerator()
        self.init(using: &random)
    }

    init(using random: inout some RandomNumberGenerator) {
        let letters = (0..<48).map { _ in Self.alphabet[Int(random.next() >> 59)] }
        text = "sk-" + String(decoding: letters, as: UTF8.self)
    }

    public var hash: KeyHash { KeyHash(of: text) }
}
