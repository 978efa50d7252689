import COpenSSL

/// The SHA-256 of a key (FIPS 180-4): what is stored in a key's place.
///
/// A fast hash suffices, because keys are random and long (``RandomKey``): nobody can try 2^160 of them, and there are no
/// two users with the same one that a salt would have to keep apart. It would not do for passwords.
public struct KeyHash: Sendable, Hashable, CustomStringConvertible {
    private static let prefix = "sha256:"
    private static let count = 32

    private let bytes: [UInt8]

    /// - Parameter key: as clients send it.
    public init(of key: String) {
        var digest = [UInt8](repeating: 0, count: Self.count)
        let text = Array(key.utf8)
        SHA256(text, text.count, &digest)
        bytes = digest
    }

    /// `sha256:` and 64 hexadecimal digits, of either case; nil for anything else.
    public init?(_ text: some StringProtocol) {
        guard text.hasPrefix(Self.prefix) else { return nil }
        let digits = Array(text.utf8.dropFirst(Self.prefix.utf8.count))
        guard digits.count == Self.count * 2 else { return nil }
        var bytes: [UInt8] = []
        for pair in stride(from: 0, to: digits.count, by: 2) {
            let values = digits[pair...pair + 1].compactMap { Character(UnicodeScalar($0)).hexDigitValue }
            guard values.count == 2 else { return nil }
            bytes.append(UInt8(values[0] << 4 | values[1]))
        }
        self.bytes = bytes
    }

    /// Compares in the same time wherever they differ.
    ///
    /// Attack (timing): a comparison that ends at the first difference tells how far a guess was right.
    func matches(_ other: KeyHash) -> Bool {
        CRYPTO_memcmp(bytes, other.bytes, Self.count) == 0
    }

    /// `sha256:` and its digits: what a key file has.
    public var description: String {
        Self.prefix + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
