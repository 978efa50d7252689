import HTTP1

/// Proxies whose `X-Forwarded-For` is believed.
public struct TrustedProxies: Sendable, Hashable {
    private let ranges: [AddressRange]
    /// Whether clients of Unix sockets are proxies: such a socket is one for a proxy on this machine.
    private let trustsUnixSockets: Bool

    public init(_ ranges: [AddressRange] = [], trustsUnixSockets: Bool = false) {
        self.ranges = ranges
        self.trustsUnixSockets = trustsUnixSockets
    }

    /// Who sent a request: the peer, or, behind trusted proxies, the last address that none of them is.
    ///
    /// Attack (spoofing): a client may send the header itself, and each proxy only adds to its end. So it is read from
    /// there, and no further than one that is not trusted.
    /// - Parameter forwarded: the values of `X-Forwarded-For`, in order; asked for where the peer is trusted.
    public func client(of peer: PeerAddress, forwarded: () -> [String]) -> PeerAddress {
        guard trusts(peer) else { return peer }
        var client = peer
        let entries = forwarded().flatMap { $0.split(separator: ",", omittingEmptySubsequences: false) }
        for entry in entries.reversed() {
            guard let address = NumericAddress(Self.host(of: entry)) else { return client }
            client = address.peer
            guard ranges.contains(where: { $0.contains(address) }) else { return client }
        }
        return client
    }

    private func trusts(_ peer: PeerAddress) -> Bool {
        if ranges.isEmpty, !trustsUnixSockets { return false }
        guard let address = NumericAddress(peer) else { return trustsUnixSockets }
        return ranges.contains { $0.contains(address) }
    }

    /// Some proxies write a port, `192.0.2.1:80` or `[2001:db8::1]:80`.
    private static func host(of entry: Substring) -> Substring {
        let entry = entry.drop { $0 == " " || $0 == "\t" }.prefix { $0 != " " && $0 != "\t" }
        if entry.hasPrefix("[") { return entry.dropFirst().prefix { $0 != "]" } }
        guard entry.count(where: { $0 == ":" }) == 1 else { return entry }
        return entry.prefix { $0 != ":" }
    }
}
