import HTTP1
import Synchronization

/// Open connections of each client address.
///
/// Attack: one client that takes all places of `maxConnections` and does nothing with them shuts everybody out.
final class AddressCounts: Sendable {
    /// An IPv4 address, or the /64 of an IPv6 address: a provider hands out whole /64 networks, so one client has 2^64
    /// addresses in it.
    private enum Network: Hashable {
        case ipv4(UInt32)
        case ipv6(UInt64)

        init?(_ peer: PeerAddress) {
            switch peer {
            case .ipv4(let address, _): self = .ipv4(address)
            case .ipv6(let high, _, _): self = .ipv6(high)
            case .unix: return nil
            }
        }
    }

    private let limit: Int?
    private let counts = Mutex<[Network: Int]>([:])

    /// - Parameter limit: connections of one address; nil counts nothing.
    init(limit: Int?) {
        self.limit = limit
    }

    /// Counts one more; false, and it is not counted, when the address has its limit.
    func enter(_ peer: PeerAddress) -> Bool {
        guard let limit, let network = Network(peer) else { return true }
        return counts.withLock { counts in
            let count = counts[network, default: 0]
            guard count < limit else { return false }
            counts[network] = count + 1
            return true
        }
    }

    /// One that was counted has closed.
    func leave(_ peer: PeerAddress) {
        guard limit != nil, let network = Network(peer) else { return }
        counts.withLock { counts in
            let count = counts[network, default: 1] - 1
            counts[network] = count == 0 ? nil : count
        }
    }
}
