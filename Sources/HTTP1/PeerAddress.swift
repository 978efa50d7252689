/// The other end of a connection. A plain value, so that limits per address and logs need no socket.
public enum PeerAddress: Sendable, Hashable, CustomStringConvertible {
    /// The address in host byte order: 127.0.0.1 is 0x7F000001. An IPv4 client of an IPv6 socket is one of these too.
    case ipv4(UInt32, port: UInt16)
    /// The first and the last eight bytes of the address in host byte order.
    case ipv6(UInt64, UInt64, port: UInt16)
    /// A client of a Unix socket.
    case unix

    /// Who it is, as far as an address tells: an IPv4 address, the /64 of an IPv6 one (whose holder has all of it), or all
    /// clients of Unix sockets together.
    public var network: String {
        switch self {
        case .ipv4(let address, _): String(address, radix: 16)
        case .ipv6(let high, _, _): String(high, radix: 16) + "::"
        case .unix: "unix"
        }
    }

    /// `192.0.2.1:8080`, `[2001:db8:0:0:0:0:0:1]:8080` (without elision) or `unix`.
    public var description: String {
        switch self {
        case .ipv4(let address, let port):
            "\(address >> 24).\(address >> 16 & 255).\(address >> 8 & 255).\(address & 255):\(port)"
        case .ipv6(let high, let low, let port):
            "["
                + [high, low].flatMap { half in [48, 32, 16, 0].map { String(half >> $0 & 0xFFFF, radix: 16) } }
                .joined(separator: ":") + "]:\(port)"
        case .unix:
            "unix"
        }
    }
}
