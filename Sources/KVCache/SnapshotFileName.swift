// Names that clients chose as names of files.

/// The file of a session's snapshot: the name in base 32 (RFC 4648, section 6), in lower case and without padding, and
/// `.kv`. So `printf %s chat-7 | base32` finds it, whatever the name holds: slashes and dots lead nowhere, and two names
/// never share a file, on a file system that ignores case neither.
struct SnapshotFileName: Hashable, Sendable {
    /// What fits in the 255 bytes of a file name.
    static let mostNameBytes = 150
    private static let suffix = ".kv"
    private static let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)

    let name: String
    let text: String

    /// nil for an empty name and for one of more than ``mostNameBytes`` bytes.
    init?(name: String) {
        guard (1...Self.mostNameBytes).contains(name.utf8.count) else { return nil }
        self.name = name
        text = Self.encode(name.utf8) + Self.suffix
    }

    /// nil for a file whose name is not exactly what ``init(name:)`` makes.
    init?(file: String) {
        guard file.hasSuffix(Self.suffix), let bytes = Self.decode(file.utf8.dropLast(Self.suffix.utf8.count)),
            let name = String(validating: bytes, as: UTF8.self), let same = SnapshotFileName(name: name),
            same.text.utf8.elementsEqual(file.utf8)
        else { return nil }
        self = same
    }

    // One file for one name: names that Swift calls equal may differ in their bytes.
    static func == (left: Self, right: Self) -> Bool { left.text == right.text }
    func hash(into hasher: inout Hasher) { hasher.combine(text) }

    private static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        var (bits, count) = (0, 0)
        for byte in bytes {
            (bits, count) = (bits << 8 | Int(byte), count + 8)
            while count >= 5 {
                count -= 5
                text.append(alphabet[bits >> count & 31])
            }
            bits &= 1 << count - 1
        }
        if count > 0 { text.append(alphabet[bits << (5 - count) & 31]) }
        return String(decoding: text, as: UTF8.self)
    }

    private static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var (bits, count) = (0, 0)
        for letter in text {
            guard let value = alphabet.firstIndex(of: letter) else { return nil }
            (bits, count) = (bits << 5 | value, count + 5)
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> count))
            }
            bits &= 1 << count - 1
        }
        return bytes
    }
}
