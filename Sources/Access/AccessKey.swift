/// A key that clients may show, and what it allows them. Written as one line of a key file:
///
/// ```
/// sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 name=alice chains=2 priority=10
/// ```
/// `catena make-key` prints such a line.
public struct AccessKey: Sendable, Hashable {
    public var hash: KeyHash
    /// Names the key in logs, and its owner's sessions: keys of one name see the same sessions and requests, so that a key
    /// can be renewed. 1 to 20 letters, digits, `.`, `_` and `-`.
    public var name: String
    /// The most chains; nil: all that the model has.
    public var chains: Int?
    /// The priority of requests that give none, and the highest that they may give; nil: as they say.
    public var priority: Int?
    /// Nil: any number.
    public var requestsPerMinute: Int?
    /// Tokens of prompts and answers. Nil: any number.
    public var tokensPerMinute: Int?
    /// Completions that wait or run at the same time. Nil: any number.
    public var maxConcurrent: Int?

    /// A longer one would leave a session's name too little of a file's.
    public static let longestName = 20

    public init(hash: KeyHash, name: String) {
        self.hash = hash
        self.name = name
    }

    /// Whether it has a limit that clients are told about in headers.
    public var isLimited: Bool { requestsPerMinute != nil || tokensPerMinute != nil }
}

extension AccessKey {
    /// Reads a line.
    /// - Throws: what is wrong with it. The line itself is not repeated: somebody may have put the key there.
    public init(line: some StringProtocol) throws(KeyLineError) {
        let words = line.split { $0 == " " || $0 == "\t" }
        guard let first = words.first, let hash = KeyHash(first) else { throw .noHash }
        var values: [Substring: Substring] = [:]
        for word in words.dropFirst() {
            guard let equal = word.firstIndex(of: "=") else { throw .notAnAssignment }
            let name = Substring(word[..<equal])
            guard Self.fields.contains(String(name)) else { throw .unknownField(known: Self.fields) }
            guard values.updateValue(Substring(word[word.index(after: equal)...]), forKey: name) == nil else {
                throw .repeated(String(name))
            }
        }
        guard let name = values["name"], Self.isName(name) else { throw .noName(longest: Self.longestName) }
        self.init(hash: hash, name: String(name))
        chains = try Self.number(values, "chains", in: 1...64)
        priority = try Self.number(values, "priority", in: -100...100)
        requestsPerMinute = try Self.number(values, "requests_per_minute", in: 1...1_000_000)
        tokensPerMinute = try Self.number(values, "tokens_per_minute", in: 1...1_000_000_000)
        maxConcurrent = try Self.number(values, "max_concurrent", in: 1...1_000_000)
    }

    private static let fields = [
        "name", "chains", "priority", "requests_per_minute", "tokens_per_minute", "max_concurrent",
    ]

    /// Whether it can be a key's name.
    public static func isName(_ text: some StringProtocol) -> Bool {
        (1...longestName).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    private static func number(
        _ values: [Substring: Substring],
        _ name: Substring,
        in range: ClosedRange<Int>
    ) throws(KeyLineError) -> Int? {
        guard let text = values[name] else { return nil }
        guard let number = Int(text), range.contains(number) else { throw .notInRange(String(name), range) }
        return number
    }
}

/// Why a line is no key: what was found and what would be right.
public enum KeyLineError: Error, Sendable, Hashable, CustomStringConvertible {
    case noHash
    case notAnAssignment
    case unknownField(known: [String])
    case repeated(String)
    case noName(longest: Int)
    case notInRange(String, ClosedRange<Int>)

    public var description: String {
        switch self {
        case .noHash:
            "a key must begin with its hash, sha256: and 64 hexadecimal digits, as catena make-key prints it"
        case .notAnAssignment:
            "behind the hash there must be fields such as name=alice, with a space between them and none in them"
        case .unknownField(let known):
            "a field must be one of \(known.joined(separator: ", "))"
        case .repeated(let name):
            "\(name) is there twice"
        case .noName(let longest):
            "name must be there, and 1 to \(longest) letters, digits, '.', '_' or '-'"
        case .notInRange(let name, let range):
            "\(name) must be an integer from \(range.lowerBound) to \(range.upperBound)"
        }
    }
}
