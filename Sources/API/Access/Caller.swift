import Access
import Core
import HTTP1

/// Who sent a request, and what is theirs. Whoever has a key sees the sessions, the requests and the cached prefixes of its
/// name and nothing of others; without keys all of them are everybody's.
struct Caller: Sendable, Hashable {
    /// The client's own, also behind a trusted proxy.
    var address: PeerAddress
    /// Nil where none is needed.
    var key: AccessKey?

    init(address: PeerAddress, key: AccessKey? = nil) {
        self.address = address
        self.key = key
    }

    var owner: String? { key?.name }

    /// Among whom the scheduler shares the machine evenly: keys, or addresses.
    var client: String { owner.map { "key \($0)" } ?? address.network }

    /// A session's name in the engine. No client's name for a session has a space, so owners cannot meet.
    func stored(session: String) -> String {
        owner.map { "\($0) \(session)" } ?? session
    }

    /// The client's name for a session of the engine; nil for one that is not theirs.
    func own(session stored: String) -> String? {
        let parts = stored.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        guard let owner else { return parts.count == 1 ? stored : nil }
        return parts.count == 2 && parts[0] == owner ? String(parts[1]) : nil
    }

    /// A salt of the prefix cache in the engine. Each owner has salts of their own, the absent one too.
    ///
    /// Attack (timing): an answer that comes sooner tells that another's prompt began with the same tokens.
    func stored(salt: String?) -> String? {
        guard let owner else { return salt }
        return salt.map { "\(owner) \($0)" } ?? owner
    }

    /// The priority of a request that gives this one, or none.
    func priority(asked: Int?) -> Int {
        guard let most = key?.priority else { return asked ?? 0 }
        return min(asked ?? most, most)
    }

    /// The default for requests that say nothing of chains, as far as the key allows it.
    func defaultChains(_ selection: ChainSelection, available: Int) -> ChainSelection {
        guard let most = key?.chains, most < available else { return selection }
        if case .fixed(let count) = selection { return .fixed(min(count, most)) }
        return selection.capped(at: most) ?? .fixed(most)
    }

    /// The chains that a request asks for, as far as the key allows them.
    /// - Throws: 403 when it allows none of them.
    func allowed(_ selection: ChainSelection, available: Int) throws(APIError) -> ChainSelection {
        guard let key, let most = key.chains, most < available else { return selection }
        guard let capped = selection.capped(at: most) else {
            throw .chainsNotAllowed(ChainsRequest.text(selection), most: most, key: key.name)
        }
        return capped
    }
}

extension ChainSelection {
    /// What is left of a selection with at most this many chains; nil for nothing.
    fileprivate func capped(at most: Int) -> ChainSelection? {
        switch self {
        case .auto: .range(1...most)
        case .range(let range): range.lowerBound > most ? nil : .range(range.lowerBound...min(range.upperBound, most))
        case .fixed(let count): count > most ? nil : self
        }
    }
}
