import Glibc

/// Why an address cannot be listened on: what was tried, what is in the way, what would be right.
public struct ListenError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Reason: Sendable, Hashable {
        /// The text is not an address of this machine's kind.
        case invalidAddress
        case addressInUse
        case permissionDenied
        /// No interface has the address.
        case addressNotAvailable
        /// What is at the path of a Unix socket is no socket; it is left alone.
        case notASocket
        /// Any other error number of the system.
        case system(Int32)
    }

    public var address: ListenAddress
    public var reason: Reason

    init(_ address: ListenAddress, _ reason: Reason) {
        self.address = address
        self.reason = reason
    }

    init(_ address: ListenAddress, errno number: Int32) {
        self.address = address
        reason =
            switch number {
            case EADDRINUSE: .addressInUse
            case EACCES, EPERM: .permissionDenied
            case EADDRNOTAVAIL, EAFNOSUPPORT: .addressNotAvailable
            default: .system(number)
            }
    }

    public var description: String {
        "cannot listen on \(address): " + explanation
    }

    private var explanation: String {
        switch (reason, address) {
        case (.invalidAddress, .tcp): "the host must be a numeric IPv4 or IPv6 address, such as 0.0.0.0 or ::"
        case (.invalidAddress, .unix): "the path of a Unix socket has 1 to 107 bytes"
        case (.addressInUse, .tcp): "another process listens there; stop it or choose another port"
        case (.addressInUse, .unix): "another process listens there; stop it or choose another path"
        case (.permissionDenied, .tcp):
            "permission denied; choose a port of 1024 or above, or grant CAP_NET_BIND_SERVICE"
        case (.permissionDenied, .unix): "permission denied; the folder must be writable for this user"
        case (.addressNotAvailable, _): "this machine has no such address; 0.0.0.0 or :: listens on all it has"
        case (.notASocket, _): "there is a file at that path that is no socket; remove it or choose another path"
        case (.system(let number), _): String(cString: strerror(number))
        }
    }
}
