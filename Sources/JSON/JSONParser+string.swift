extension JSONParser {
    /// RFC 8259, section 7.
    mutating func string() throws(JSONError) -> String {
        let opening = index
        index += 1
        // Nearly all strings are without escapes: one scan, one validated copy.
        while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { index += 1 }
        let run = UnsafeRawBufferPointer(rebasing: bytes[opening + 1..<index])
        if take(UInt8(ascii: "\"")) { return try validated(run, from: opening + 1) }
        var unescaped = [UInt8](run)
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                return try validated(unescaped, from: opening + 1)
            case UInt8(ascii: "\\"): try escape(into: &unescaped)
            case 0..<0x20: throw error("a control character that is not escaped in a string")
            default:
                unescaped.append(byte)
                index += 1
            }
        }
        throw error("a string that does not end", at: opening)
    }

    private func validated(_ utf8: some Sequence<UInt8>, from start: Int) throws(JSONError) -> String {
        guard let text = String(validating: utf8, as: UTF8.self) else {
            throw error("a string that is not valid UTF-8", at: start)
        }
        return text
    }

    private mutating func escape(into output: inout [UInt8]) throws(JSONError) {
        let start = index
        index += 1
        guard let byte = current else { throw unexpected(wanted: "an escape") }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): output.append(byte)
        case UInt8(ascii: "b"): output.append(0x08)
        case UInt8(ascii: "f"): output.append(0x0C)
        case UInt8(ascii: "n"): output.append(0x0A)
        case UInt8(ascii: "r"): output.append(0x0D)
        case UInt8(ascii: "t"): output.append(0x09)
        case UInt8(ascii: "u"): output.append(contentsOf: UTF8.encode(try escapedScalar(from: start))!)
        default: throw error("an unknown escape in a string", at: start)
        }
    }

    /// The scalar of `\uXXXX`, or of two of them that are a surrogate pair. Half a pair stands for no character: refused.
    private mutating func escapedScalar(from start: Int) throws(JSONError) -> UnicodeScalar {
        let first = try hexUnit()
        if let scalar = UnicodeScalar(first) { return scalar }
        guard first < 0xDC00, take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
            throw error("half of a surrogate pair in a string", at: start)
        }
        let second = try hexUnit()
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = UnicodeScalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw error("half of a surrogate pair in a string", at: start) }
        return scalar
    }

    private mutating func hexUnit() throws(JSONError) -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                throw unexpected(wanted: "a hexadecimal digit")
            }
            unit = unit << 4 | UInt32(digit)
            index += 1
        }
        return unit
    }
}
