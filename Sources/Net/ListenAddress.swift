import Glibc
import HTTP1

/// Where to listen: `127.0.0.1:8080`, `[::1]:8080`, or `unix:/run/catena.sock`.
public enum ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// A numeric IPv4 or IPv6 address (`0.0.0.0` and `::` mean all) and a port; port 0 lets the kernel choose one.
    /// Sockets on `::` serve IPv4 clients too, unless the machine forbids it.
    case tcp(host: String, port: UInt16)
    /// The path of a Unix socket, at most 107 bytes.
    case unix(path: String)

    /// Reads the form that `description` writes; also `localhost:8080`. Nil when it is neither.
    public init?(_ text: String) {
        if text.hasPrefix("unix:") {
            self = .unix(path: String(text.dropFirst(5)))
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        self = .tcp(host: host == "localhost" ? "127.0.0.1" : String(host), port: port)
    }

    public var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

/// A socket address of any family, with the length that goes with it.
struct SocketAddress {
    var storage = sockaddr_storage()
    var length: socklen_t

    /// Room for an address that the kernel is to fill in.
    init() {
        length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    }

    init(_ address: ListenAddress) throws(ListenError) {
        self.init()
        switch address {
        case .tcp(let host, let port):
            var ipv4 = sockaddr_in()
            var ipv6 = sockaddr_in6()
            if inet_pton(AF_INET, host, &ipv4.sin_addr) == 1 {
                ipv4.sin_family = sa_family_t(AF_INET)
                ipv4.sin_port = port.bigEndian
                store(ipv4)
            } else if inet_pton(AF_INET6, host, &ipv6.sin6_addr) == 1 {
                ipv6.sin6_family = sa_family_t(AF_INET6)
                ipv6.sin6_port = port.bigEndian
                store(ipv6)
            } else {
                throw ListenError(address, .invalidAddress)
            }
        case .unix(let path):
            var unix = sockaddr_un()
            let bytes = Array(path.utf8)
            let room = MemoryLayout.size(ofValue: unix.sun_path)
            guard !bytes.isEmpty, bytes.count < room, !bytes.contains(0) else {
                throw ListenError(address, .invalidAddress)
            }
            unix.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &unix.sun_path) { $0.copyBytes(from: bytes) }
            store(unix)
        }
    }

    private mutating func store<Address>(_ address: Address) {
        withUnsafeMutableBytes(of: &storage) { storage in
            withUnsafeBytes(of: address) { storage.copyBytes(from: $0) }
        }
        length = socklen_t(MemoryLayout<Address>.size)
    }

    var family: Int32 { Int32(storage.ss_family) }

    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }

    mutating func withMutablePointer<Result>(
        _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Result
    ) -> Result {
        length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &length) }
        }
    }

    /// The port of a TCP address.
    var port: UInt16 {
        withUnsafeBytes(of: storage) { bytes in
            // sin_port and sin6_port lie at the same place.
            family == AF_UNIX ? 0 : UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self))
        }
    }

    var peer: PeerAddress {
        withUnsafeBytes(of: storage) { bytes in
            switch family {
            case AF_INET:
                return .ipv4(UInt32(bigEndian: bytes.load(fromByteOffset: 4, as: UInt32.self)), port: port)
            case AF_INET6:
                let high = UInt64(bigEndian: bytes.load(fromByteOffset: 8, as: UInt64.self))
                let low = UInt64(bigEndian: bytes.load(fromByteOffset: 16, as: UInt64.self))
                // ::ffff:a.b.c.d, an IPv4 client of an IPv6 socket.
                return high == 0 && low >> 32 == 0xFFFF
                    ? .ipv4(UInt32(truncatingIfNeeded: low), port: port) : .ipv6(high, low, port: port)
            default:
                return .unix
            }
        }
    }
}
