/// Turns bytes that come in pieces into valid UTF-8: an incomplete character waits for its rest, and what can never
/// become a character turns into U+FFFD, one for each maximal part (Unicode 16, section 3.9, table 3-8), so that the
/// pieces joined equal `String(decoding:as:)` of all bytes at once.
struct UTF8Repair: Sendable {
    /// The start of a character, at most 3 bytes.
    private var pending: [UInt8] = []

    /// Whether a character has begun.
    var isPending: Bool { !pending.isEmpty }

    private static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]

    /// Takes one byte and appends what is certain.
    mutating func append(_ byte: UInt8, to text: inout [UInt8]) {
        if pending.isEmpty {
            begin(byte, &text)
        } else if Self.continues(pending, byte) {
            pending.append(byte)
            if pending.count == Self.length(of: pending[0]) {
                text.append(contentsOf: pending)
                pending.removeAll(keepingCapacity: true)
            }
        } else {
            finish(to: &text)
            begin(byte, &text)
        }
    }

    /// Nothing more comes: an incomplete character becomes U+FFFD.
    mutating func finish(to text: inout [UInt8]) {
        guard !pending.isEmpty else { return }
        pending.removeAll(keepingCapacity: true)
        text.append(contentsOf: Self.replacement)
    }

    private mutating func begin(_ byte: UInt8, _ text: inout [UInt8]) {
        switch Self.length(of: byte) {
        case 1: text.append(byte)
        case 0: text.append(contentsOf: Self.replacement)
        default: pending.append(byte)
        }
    }

    /// The length of the character that a byte begins; 0 when it can begin none.
    private static func length(of lead: UInt8) -> Int {
        switch lead {
        case 0x00...0x7F: 1
        case 0xC2...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF4: 4
        default: 0
        }
    }

    /// Whether a byte can follow, by table 3-7 (no overlong forms, no surrogates, nothing above U+10FFFF).
    private static func continues(_ start: [UInt8], _ byte: UInt8) -> Bool {
        guard start.count == 1 else { return (0x80...0xBF).contains(byte) }
        return switch start[0] {
        case 0xE0: (0xA0...0xBF).contains(byte)
        case 0xED: (0x80...0x9F).contains(byte)
        case 0xF0: (0x90...0xBF).contains(byte)
        case 0xF4: (0x80...0x8F).contains(byte)
        default: (0x80...0xBF).contains(byte)
        }
    }
}

extension UInt8 {
    /// Whether a byte of valid UTF-8 is the first of a character: counting these counts characters.
    var beginsCharacter: Bool { self & 0xC0 != 0x80 }
}
