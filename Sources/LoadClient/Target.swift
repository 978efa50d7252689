import CShims
import Glibc

/// A server to be tested: `http://HOST:PORT` or `http://HOST:PORT/BASE`, with its address looked up.
package struct Target: Sendable {
    /// As it was given.
    package let url: String
    /// What `Host` says.
    let authority: String
    /// What comes before `/completions`: `/v1`, or the path that was given, as OpenAI's clients take a base URL.
    let basePath: String
    let address: SocketAddress

    /// - Throws: for anything but plain HTTP, and for names that are not found.
    package init(_ url: String) throws(ClientError) {
        self.url = url
        guard !url.lowercased().hasPrefix("https:") else {
            throw ClientError(
                "\(url): this client speaks plain HTTP only, so that it takes little of the machine it shares with the "
                    + "server. Test the server without TLS, or through a proxy on this machine that adds it."
            )
        }
        let expected = "expected http://HOST:PORT, with a path like /v1 if the API has another base"
        guard url.lowercased().hasPrefix("http://") else { throw ClientError("\(url): \(expected)") }
        let rest = url.dropFirst(7)
        let authority = rest.prefix { $0 != "/" }
        var path = rest.dropFirst(authority.count)
        while path.last == "/" { path.removeLast() }
        guard !authority.isEmpty, !authority.contains("@"),
            path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }),
            authority.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { throw ClientError("\(url): \(expected)") }
        let (host, port) = try Self.split(authority, of: url, expected)
        self.authority = String(authority)
        basePath = path.isEmpty ? "/v1" : String(path)
        address = try SocketAddress(host: host, port: port)
    }

    /// `host:port`, `[::1]:port`, or without a port, which is then 80.
    private static func split(
        _ authority: Substring,
        of url: String,
        _ expected: String
    ) throws(ClientError) -> (String, UInt16) {
        var host = authority
        var port = Substring("80")
        if let colon = authority.lastIndex(of: ":"), authority.last != "]" {
            host = authority[..<colon]
            port = authority[authority.index(after: colon)...]
        }
        if host.first == "[" && host.last == "]" {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw ClientError("\(url): an IPv6 address stands in brackets, http://[::1]:8080")
        }
        guard let number = UInt16(port), number > 0, !host.isEmpty else { throw ClientError("\(url): \(expected)") }
        return (String(host), number)
    }
}

/// The address of a TCP server.
struct SocketAddress: Sendable {
    private var storage = sockaddr_storage()
    private let length: socklen_t

    /// The first address of a name or a numeric address.
    init(host: String, port: UInt16) throws(ClientError) {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, "\(port)", &hints, &list)
        guard status == 0, let first = list?.pointee else {
            throw ClientError("\(host): \(String(cString: gai_strerror(status)))")
        }
        defer { freeaddrinfo(list) }
        length = first.ai_addrlen
        withUnsafeMutableBytes(of: &storage) { storage in
            storage.copyMemory(from: UnsafeRawBufferPointer(start: first.ai_addr, count: Int(length)))
        }
    }

    var family: Int32 { Int32(storage.ss_family) }

    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}
