/// Writes JSON (RFC 8259) as bytes: answers, stream chunks, error objects.
///
/// The caller writes the punctuation, the writer the values, so a chunk is a handful of appends and no intermediate
/// objects. (`JSONEncoder` takes about 9 µs for a chunk, this less than 1.)
package struct JSONWriter {
    /// What was written so far.
    package private(set) var bytes: [UInt8] = []

    package init(reserving capacity: Int = 256) {
        bytes.reserveCapacity(capacity)
    }

    /// Names and punctuation, as they are.
    package mutating func raw(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    /// A comma between the elements of a list.
    package mutating func separator(before index: Int) {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
    }

    /// Its decimal digits.
    package mutating func integer(_ value: Int) {
        bytes.append(contentsOf: String(value).utf8)
    }

    /// The shortest digits that read back as the same `Float`; null for NaN, which JSON cannot say. Infinities become
    /// ∓9999, as other servers write them.
    package mutating func number(_ value: Float) {
        if value.isNaN {
            raw("null")
        } else {
            bytes.append(contentsOf: min(max(value, -9999), 9999).description.utf8)
        }
    }

    /// As for `Float`, with all digits of a `Double` and infinities as null.
    package mutating func number(_ value: Double) {
        if value.isFinite {
            bytes.append(contentsOf: value.description.utf8)
        } else {
            raw("null")
        }
    }

    /// `true` or `false`.
    package mutating func bool(_ value: Bool) {
        raw(value ? "true" : "false")
    }

    /// A string, escaped as ``string(utf8:)`` does.
    package mutating func string(_ text: String) {
        var text = text
        text.withUTF8 { quote($0) }
    }

    /// A string, or null.
    package mutating func string(_ text: String?) {
        if let text { string(text) } else { raw("null") }
    }

    /// A string from valid UTF-8. Escapes the quotation mark, the backslash and the controls (section 7), nothing else.
    package mutating func string(utf8: [UInt8]) {
        utf8.withUnsafeBufferPointer { quote($0) }
    }

    private mutating func quote(_ utf8: UnsafeBufferPointer<UInt8>) {
        bytes.append(UInt8(ascii: "\""))
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "\""): raw("\\\"")
            case UInt8(ascii: "\\"): raw("\\\\")
            case 0x0A: raw("\\n")
            case 0x0D: raw("\\r")
            case 0x09: raw("\\t")
            case 0..<0x20:
                raw("\\u00")
                bytes.append(Self.hexDigits[Int(byte >> 4)])
                bytes.append(Self.hexDigits[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)
}
