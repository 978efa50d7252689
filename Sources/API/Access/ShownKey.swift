import Access
import HTTP1

/// The key that a request shows: `Authorization: Bearer KEY` (RFC 6750, 2.1) or `X-Api-Key: KEY`.
enum ShownKey: Sendable, Hashable {
    /// Neither header, or an empty Bearer, which clients without a key send.
    case none
    case key(String)
    /// Two that differ, or another scheme.
    case unclear

    init(_ headers: HTTPHeaders) {
        var shown: Set<String> = []
        for value in headers.values("authorization") {
            let parts = value.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.first?.lowercased() == "bearer" else {
                self = .unclear
                return
            }
            shown.insert(parts.count == 2 ? String(parts[1].drop { $0 == " " }) : "")
        }
        shown.formUnion(headers.values("x-api-key"))
        shown.remove("")
        switch shown.count {
        case 0: self = .none
        case 1: self = .key(shown.first ?? "")
        default: self = .unclear
        }
    }

    /// - Throws: 401 when it is none of these keys.
    func found(in keys: KeyStore) throws(APIError) -> AccessKey {
        switch self {
        case .none: throw .missingKey
        case .unclear: throw .unclearKey
        case .key(let text):
            guard let key = keys.find(text) else { throw .wrongKey }
            return key
        }
    }
}
