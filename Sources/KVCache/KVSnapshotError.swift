// Every way in which bytes can fail to be the snapshot that was asked for.

/// Why a snapshot is not used. The session is computed anew then.
public enum KVSnapshotError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The two parts that have a checksum each.
    public enum Section: String, Sendable, Hashable {
        case header
        case payload
    }

    /// Other bytes than a snapshot's at the start.
    case notASnapshot
    /// Written by an older or newer version of Catena in another format.
    case otherVersion(found: UInt32, supported: UInt32)
    /// The end is missing. `expected` is what is known to be needed so far.
    case truncated(expected: UInt64, found: Int)
    /// More bytes than the snapshot has.
    case trailingBytes(Int)
    /// A checksum is not that of its section.
    case corrupted(Section)
    /// Its checksum is right, but the header contradicts itself.
    case malformed(String)
    case foreignModel(found: String, expected: String)
    /// Another shape or element type of the cache.
    case foreignLayout(found: String, expected: String)
    case otherSession(found: String, expected: String)
    /// The salt is not that of the client who asks. Neither is named: a salt is the tenant's secret.
    case otherTenant
    case tooManyTokens(found: Int, limit: Int)
    case unknownToken(Int32, position: Int, vocabularySize: Int)

    public var description: String {
        switch self {
        case .notASnapshot: "not a snapshot: it does not start with \"CATENAKV\""
        case .otherVersion(let found, let supported):
            "the snapshot has format version \(found), \(found < supported ? "older" : "newer") than \(supported), "
                + "the only one that this version of Catena reads"
        case .truncated(let expected, let found):
            "the snapshot is truncated: \(found) bytes, expected \(expected) at least"
        case .trailingBytes(let count): "\(count) bytes follow on the snapshot's end"
        case .corrupted(let section): "the snapshot is damaged: the checksum of its \(section.rawValue) is wrong"
        case .malformed(let problem): "the snapshot's header is not one that Catena writes: \(problem)"
        case .foreignModel(let found, let expected):
            "the snapshot was made with the model \(found); this server runs \(expected)"
        case .foreignLayout(let found, let expected):
            "the snapshot's keys and values are \(found); this server's are \(expected)"
        case .otherSession(let found, let expected):
            "the snapshot is one of the session \"\(found)\"; expected \"\(expected)\""
        case .otherTenant: "the snapshot belongs to another tenant"
        case .tooManyTokens(let found, let limit): "the snapshot has \(found) tokens; the most is \(limit)"
        case .unknownToken(let token, let position, let size):
            "token \(position) of the snapshot is \(token); the vocabulary has 0 to \(size - 1)"
        }
    }
}
