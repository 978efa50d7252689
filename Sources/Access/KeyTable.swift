/// All keys of a server, as a value.
public struct KeyTable: Sendable {
    /// Every request looks at all of them.
    public static let mostKeys = 10_000

    public private(set) var keys: [AccessKey] = []
    private var names: [String: AccessKey] = [:]
    private var hashes: [KeyHash: String] = [:]

    public init() {}

    /// - Throws: when the hash is there already, the name is there with other limits, or there are too many.
    public mutating func add(_ key: AccessKey) throws(KeyTableError) {
        guard keys.count < Self.mostKeys else { throw .tooMany(limit: Self.mostKeys) }
        if let name = hashes[key.hash] { throw .sameKey(name: name) }
        if var twin = names[key.name] {
            twin.hash = key.hash
            guard twin == key else { throw .otherLimits(name: key.name) }
        }
        keys.append(key)
        names[key.name] = key
        hashes[key.hash] = key.name
    }

    /// The key that a client shows. Takes the same time whichever it is, and when it is none.
    public func find(_ shown: String) -> AccessKey? {
        let hash = KeyHash(of: shown)
        var found: Int?
        for (index, key) in keys.enumerated() where key.hash.matches(hash) { found = index }
        return found.map { keys[$0] }
    }
}

/// Why a key cannot be added to others.
public enum KeyTableError: Error, Sendable, Hashable, CustomStringConvertible {
    case sameKey(name: String)
    case otherLimits(name: String)
    case tooMany(limit: Int)

    public var description: String {
        switch self {
        case .sameKey(let name): "the same key is there before, as \(name)"
        case .otherLimits(let name):
            "another key is named \(name) and has other limits: keys of one name share their limits, so all must be equal"
        case .tooMany(let limit): "there are more than \(limit) keys"
        }
    }
}
