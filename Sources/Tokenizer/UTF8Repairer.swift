// Bytes in, valid UTF-8 out, as they come: what is incomplete waits, what is wrong becomes U+FFFD.

/// An incremental UTF-8 decoder with the replacement that the Unicode standard recommends (chapter 3, "U+FFFD Substitution
/// of Maximal Subparts"), as Rust's `from_utf8_lossy` and the `tokenizers` package do it.
public struct UTF8Repairer: Sendable {
    /// A valid, incomplete start of a sequence: 0 to 3 bytes.
    private var pending: [UInt8] = []
    /// Bytes that the pending sequence still wants.
    private var missing = 0
    /// What its next byte may be.
    private var allowed: ClosedRange<UInt8> = 0x80...0xBF

    private static let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]

    public init() {}

    /// Whether an incomplete character waits for its rest.
    public var isPending: Bool { missing > 0 }

    /// Appends to `output` what is certain after `bytes`.
    public mutating func append(_ bytes: some Sequence<UInt8>, to output: inout [UInt8]) {
        for byte in bytes {
            if missing > 0 {
                if allowed.contains(byte) {
                    pending.append(byte)
                    missing -= 1
                    allowed = 0x80...0xBF
                    if missing == 0 {
                        output += pending
                        pending.removeAll(keepingCapacity: true)
                    }
                    continue
                }
                flush(to: &output)
            }
            start(with: byte, output: &output)
        }
    }

    /// Ends the text: a sequence still incomplete becomes one U+FFFD.
    public mutating func flush(to output: inout [UInt8]) {
        guard missing > 0 else { return }
        output += Self.replacement
        pending.removeAll(keepingCapacity: true)
        missing = 0
        allowed = 0x80...0xBF
    }

    /// The Unicode standard's table 3-7, well-formed UTF-8 byte sequences.
    private mutating func start(with byte: UInt8, output: inout [UInt8]) {
        switch byte {
        case 0x00...0x7F:
            output.append(byte)
            return
        case 0xC2...0xDF: missing = 1
        case 0xE0: (missing, allowed) = (2, 0xA0...0xBF)
        case 0xE1...0xEC, 0xEE...0xEF: missing = 2
        case 0xED: (missing, allowed) = (2, 0x80...0x9F)  // no surrogates
        case 0xF0: (missing, allowed) = (3, 0x90...0xBF)
        case 0xF1...0xF3: missing = 3
        case 0xF4: (missing, allowed) = (3, 0x80...0x8F)  // nothing above U+10FFFF
        default:
            output += Self.replacement
            return
        }
        pending.append(byte)
    }
}
