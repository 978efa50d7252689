import Glibc

/// A client that sends exactly the bytes it is told to. Every wait has an end.
public final class RawClient {
    public enum Failure: Error {
        case cannotConnect(Int32)
        case timeout(after: [UInt8])
        case connectionReset(after: [UInt8])
        case unexpectedEnd(after: [UInt8])
        case malformedAnswer([UInt8])
    }

    /// Longest wait of one call, unless it is given another.
    public static let patience: Duration = .seconds(
        getenv("TEST_PATIENCE").flatMap { Int(String(cString: $0)) } ?? 10
    )

    /// What must live as long as the client: its server, which Swift would let go of after its last mention.
    public var owner: AnyObject?
    /// TLS between this client and its bytes; `startTLS` begins it.
    private var tls: TLSClientSession?
    private var descriptor: Int32
    /// Bytes that were read and not yet asked for.
    private var buffer: [UInt8] = []

    public init(host: String = "127.0.0.1", port: UInt16, receiveBuffer: Int32? = nil) throws {
        var ipv4 = sockaddr_in()
        var ipv6 = sockaddr_in6()
        if inet_pton(AF_INET, host, &ipv4.sin_addr) == 1 {
            ipv4.sin_family = sa_family_t(AF_INET)
            ipv4.sin_port = port.bigEndian
            descriptor = try Self.connect(AF_INET, ipv4, receiveBuffer)
        } else {
            inet_pton(AF_INET6, host, &ipv6.sin6_addr)
            ipv6.sin6_family = sa_family_t(AF_INET6)
            ipv6.sin6_port = port.bigEndian
            descriptor = try Self.connect(AF_INET6, ipv6, receiveBuffer)
        }
    }

    public init(unixPath: String) throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(unixPath.utf8)) }
        descriptor = try Self.connect(AF_UNIX, address, nil)
    }

    deinit { close() }

    private static func connect<Address>(_ family: Int32, _ address: Address, _ receiveBuffer: Int32?) throws -> Int32 {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        let result = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
            }
        }
        guard result == 0 else {
            let number = errno
            Glibc.close(descriptor)
            throw Failure.cannotConnect(number)
        }
        return descriptor
    }

    // MARK: Writing and ending

    public func send(_ text: String) { send(Array(text.utf8)) }

    /// Sends all bytes, or as many as the server takes before it closes.
    public func send(_ bytes: [UInt8]) {
        guard let tls else { return sendRaw(bytes) }
        tls.seal(bytes)
        sendRaw(tls.takeOutput())
    }

    /// Sends bytes past TLS.
    public func sendRaw(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count, wait(for: Int16(POLLOUT), Self.patience) {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    descriptor,
                    $0.baseAddress! + sent,
                    bytes.count - sent,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
                )
            }
            if count < 0 && errno != EAGAIN { return }
            sent += max(count, 0)
        }
    }

    /// Shakes hands; everything that is sent and read afterwards goes through `session`.
    public func startTLS(_ session: TLSClientSession) throws {
        tls = session
        while !session.isEstablished {
            session.goOn()
            sendRaw(session.takeOutput())
            guard !session.isEstablished else { break }
            guard try fill(Self.patience) else { throw Failure.unexpectedEnd(after: buffer) }
        }
    }

    /// Says close_notify, without ending the connection.
    public func sayEnd() {
        tls?.sayEnd()
        sendRaw(tls?.takeOutput() ?? [])
    }

    /// Half-closes: no more will be sent, answers are still read.
    public func shutdownWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    public func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    /// Closes with a reset in place of an orderly end.
    public func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    // MARK: Reading

    /// Everything up to the server's end.
    public func readToEnd(within patience: Duration = patience) throws -> String {
        while try fill(patience) {}
        defer { buffer = [] }
        return String(decoding: buffer, as: UTF8.self)
    }

    /// Everything up to and with `mark`.
    public func read(until mark: String, within patience: Duration = patience) throws -> String {
        let mark = Array(mark.utf8)
        var searched = 0
        while true {
            if let end = Self.firstIndex(of: mark, in: buffer, from: searched) {
                defer { buffer.removeFirst(end + mark.count) }
                return String(decoding: buffer[..<(end + mark.count)], as: UTF8.self)
            }
            searched = max(0, buffer.count - mark.count)
            guard try fill(patience) else { throw Failure.unexpectedEnd(after: buffer) }
        }
    }

    public func read(count: Int, within patience: Duration = patience) throws -> [UInt8] {
        while buffer.count < count {
            guard try fill(patience) else { throw Failure.unexpectedEnd(after: buffer) }
        }
        defer { buffer.removeFirst(count) }
        return Array(buffer[..<count])
    }

    /// Whether nothing comes for `duration`: no byte and no end.
    public func staysSilent(for duration: Duration) -> Bool {
        buffer.isEmpty && !wait(for: Int16(POLLIN), duration)
    }

    /// Reads more into the buffer; false at the server's end.
    private func fill(_ patience: Duration) throws -> Bool {
        guard wait(for: Int16(POLLIN), patience) else { throw Failure.timeout(after: buffer) }
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        guard count >= 0 else { throw Failure.connectionReset(after: buffer) }
        guard let tls else {
            buffer.append(contentsOf: bytes[..<count])
            return count > 0
        }
        let plaintext = try tls.receive(bytes[..<count])
        buffer.append(contentsOf: plaintext)
        return count > 0 && !(plaintext.isEmpty && tls.isClosedByPeer)
    }

    private func wait(for events: Int16, _ patience: Duration) -> Bool {
        var request = pollfd(fd: descriptor, events: events, revents: 0)
        let milliseconds = patience.components.seconds * 1000 + patience.components.attoseconds / 1_000_000_000_000_000
        return poll(&request, 1, Int32(milliseconds)) > 0
    }

    private static func firstIndex(of mark: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        guard bytes.count >= start + mark.count else { return nil }
        return (start...(bytes.count - mark.count)).first { bytes[$0..<($0 + mark.count)].elementsEqual(mark) }
    }
}
