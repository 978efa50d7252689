// What a byte may be, by the grammars of RFC 9110, RFC 9112 and RFC 3986. Everything else in this module asks here.

extension UInt8 {
    static let carriageReturn = UInt8(ascii: "\r")
    static let lineFeed = UInt8(ascii: "\n")
    static let space = UInt8(ascii: " ")
    static let tab = UInt8(ascii: "\t")
    static let colon = UInt8(ascii: ":")
    static let comma = UInt8(ascii: ",")
    static let slash = UInt8(ascii: "/")
    static let semicolon = UInt8(ascii: ";")
    static let questionMark = UInt8(ascii: "?")

    /// `tchar` of RFC 9110, 5.6.2: what methods and field names are made of.
    var isTokenCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default:
            false
        }
    }

    /// A control byte that no line of a message may hold. HTAB is not one: field values may (RFC 9110, 5.5).
    var isForbiddenControl: Bool { (self < 0x20 && self != .tab) || self == 0x7F }

    /// `field-vchar`, SP or HTAB of RFC 9110, 5.5, with obs-text (0x80 to 0xFF) taken as opaque bytes.
    var isFieldValueByte: Bool { !isForbiddenControl }

    var isWhitespace: Bool { self == .space || self == .tab }

    var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }

    /// The value of a hexadecimal digit, nil for any other byte.
    var hexValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// ASCII lower case; other bytes as they are.
    var lowercased: UInt8 { self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") ? self | 0x20 : self }

    /// `unreserved` or `sub-delims` of RFC 3986, 2.2 and 2.3: what a registered name may hold beside `%XX`.
    var isUnreservedOrSubDelimiter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "!"),
            UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "("), UInt8(ascii: ")"),
            UInt8(ascii: "*"), UInt8(ascii: "+"), .comma, .semicolon, UInt8(ascii: "="):
            true
        default:
            false
        }
    }

    /// What a path may hold beside `%XX`: `pchar` and `/` (RFC 3986, 3.3).
    var isPathCharacter: Bool {
        isUnreservedOrSubDelimiter || self == .slash || self == .colon || self == UInt8(ascii: "@")
    }

    /// What a query may hold. RFC 3986, 3.4, and the bytes that browsers send there unescaped (`[ ] { } | ^ \` and the
    /// backtick): they cannot be mistaken for framing, and refusing them would refuse browsers.
    var isQueryCharacter: Bool {
        switch self {
        case UInt8(ascii: "\""), UInt8(ascii: "#"), UInt8(ascii: "<"), UInt8(ascii: ">"): false
        default: self > 0x20 && self < 0x7F
        }
    }
}

/// Whether `bytes` spell `word`, whatever the case of ASCII letters. `word` must be lower case.
func equalsIgnoringCase(_ bytes: some Collection<UInt8>, _ word: StaticString) -> Bool {
    guard bytes.count == word.utf8CodeUnitCount else { return false }
    return word.withUTF8Buffer { word in zip(bytes, word).allSatisfy { $0.lowercased == $1 } }
}
