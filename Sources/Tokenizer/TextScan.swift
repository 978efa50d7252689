// Looking at the characters beside a place in valid UTF-8.

enum TextScan {
    /// Whether the character that ends at `place` is one of a word (`\w` of UTS #18).
    static func isWord(before place: Int, in text: UnsafeBufferPointer<UInt8>, from start: Int) -> Bool {
        guard place > start else { return false }
        return isWord(scalar(before: place, in: text, from: start))
    }

    /// Whether the character that begins at `place` is one of a word.
    static func isWord(after place: Int, in text: UnsafeBufferPointer<UInt8>, to end: Int) -> Bool {
        guard place < end else { return false }
        return isWord(scalar(at: place, in: text))
    }

    /// Where the white space that ends at `place` begins.
    static func whitespaceStart(before place: Int, in text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        var place = place
        while place > start {
            let scalar = scalar(before: place, in: text, from: start)
            guard scalar.properties.isWhitespace else { break }
            place -= UTF8.width(scalar)
        }
        return place
    }

    /// Where the white space that begins at `place` ends.
    static func whitespaceEnd(after place: Int, in text: UnsafeBufferPointer<UInt8>, to end: Int) -> Int {
        var place = place
        while place < end {
            let scalar = scalar(at: place, in: text)
            guard scalar.properties.isWhitespace else { break }
            place += UTF8.width(scalar)
        }
        return place
    }

    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        let properties = scalar.properties
        if properties.isAlphabetic || properties.isJoinControl { return true }
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
        default: return false
        }
    }

    private static func scalar(
        before place: Int,
        in text: UnsafeBufferPointer<UInt8>,
        from start: Int
    ) -> Unicode.Scalar {
        var first = place - 1
        while first > start, text[first] & 0xC0 == 0x80 { first -= 1 }
        return scalar(at: first, in: text)
    }

    private static func scalar(at place: Int, in text: UnsafeBufferPointer<UInt8>) -> Unicode.Scalar {
        var rest = text[place...].makeIterator()
        var decoder = UTF8()
        guard case .scalarValue(let scalar) = decoder.decode(&rest) else { return "\u{FFFD}" }  // not in valid UTF-8
        return scalar
    }
}
