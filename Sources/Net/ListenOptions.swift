import CShims
import Glibc

/// How a socket is made to listen.
public struct ListenOptions: Sendable, Hashable {
    /// Connections that the kernel completes before they are accepted; it caps this at net.core.somaxconn.
    public var backlog: Int32 = 1024
    /// Listen at once on a port whose old connections are in TIME_WAIT.
    public var reuseAddress = true
    /// Share the port with other sockets that ask for the same; the kernel spreads clients among them.
    public var reusePort = false
    /// Permissions of a Unix socket's file; nil leaves them to the umask.
    public var unixPermissions: UInt32?

    public init() {}
}

/// A socket that listens, and where: with the port that the kernel chose.
struct ListeningSocket: ~Copyable {
    let descriptor: Descriptor
    let address: ListenAddress
}

/// Makes a socket, binds it and has it listen.
func listeningSocket(
    on address: ListenAddress,
    options: ListenOptions
) throws(ListenError) -> ListeningSocket {
    var socketAddress = try SocketAddress(address)
    guard let descriptor = Descriptor(catena_stream_socket(socketAddress.family)) else {
        throw ListenError(address, errno: errno)
    }
    if case .unix(let path) = address {
        try removeStaleSocket(path, address)
    } else {
        set(descriptor, SOL_SOCKET, SO_REUSEADDR, options.reuseAddress)
        set(descriptor, SOL_SOCKET, SO_REUSEPORT, options.reusePort)
        // Accepted sockets inherit it. With Nagle's algorithm every answer in two writes waits 40 ms for a delayed ACK.
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, true)
        if socketAddress.family == AF_INET6 { set(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, false) }
    }
    guard socketAddress.withPointer({ bind(descriptor.number, $0, $1) }) == 0 else {
        throw ListenError(address, errno: errno)
    }
    if case .unix(let path) = address, let permissions = options.unixPermissions { chmod(path, permissions) }
    guard listen(descriptor.number, options.backlog) == 0 else { throw ListenError(address, errno: errno) }
    guard case .tcp(let host, _) = address else { return ListeningSocket(descriptor: descriptor, address: address) }
    let number = descriptor.number
    guard socketAddress.withMutablePointer({ getsockname(number, $0, $1) }) == 0 else {
        throw ListenError(address, errno: errno)
    }
    return ListeningSocket(descriptor: descriptor, address: .tcp(host: host, port: socketAddress.port))
}

/// A server that was killed leaves its socket's file behind, and bind(2) would fail on it. Removed only if it is a socket
/// that nobody listens on.
private func removeStaleSocket(_ path: String, _ address: ListenAddress) throws(ListenError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else { throw ListenError(address, .notASocket) }
    let target = try SocketAddress(address)
    guard let probe = Descriptor(catena_stream_socket(AF_UNIX)) else { throw ListenError(address, errno: errno) }
    guard target.withPointer({ connect(probe.number, $0, $1) }) != 0, errno == ECONNREFUSED else {
        throw ListenError(address, .addressInUse)
    }
    unlink(path)
}

private func set(_ descriptor: borrowing Descriptor, _ level: Int32, _ option: Int32, _ isOn: Bool) {
    var value: Int32 = isOn ? 1 : 0
    setsockopt(descriptor.number, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
}
