import Foundation
import Glibc
import HTTP1
import Net
import TestSupport
import Testing

@Suite struct ListenTests {
    private func unixPath() -> String { "/tmp/catena-net-\(UInt32.random(in: 0...UInt32.max)).sock" }

    @Test func addressesReadAndWriteAlike() {
        #expect(ListenAddress("127.0.0.1:80") == .tcp(host: "127.0.0.1", port: 80))
        #expect(ListenAddress("localhost:80") == .tcp(host: "127.0.0.1", port: 80))
        #expect(ListenAddress("[::1]:80") == .tcp(host: "::1", port: 80))
        #expect(ListenAddress("unix:/a/b") == .unix(path: "/a/b"))
        for text in ["", "80", "a", "::1:80", "a:65536", "a:-1", "a:", "[::1]"] {
            #expect(ListenAddress(text) == nil, "\(text)")
        }
        for text in ["127.0.0.1:80", "[::1]:80", "unix:/a/b"] { #expect(ListenAddress(text)?.description == text) }
    }

    @Test func aTakenPortIsNamed() throws {
        let server = try TestServer()
        let address = ListenAddress.tcp(host: "127.0.0.1", port: server.port)
        let error = #expect(throws: ListenError.self) { try server.server.listen(on: address) }
        #expect(error?.reason == .addressInUse)
        #expect(error?.description.contains("127.0.0.1:\(server.port)") == true)
    }

    @Test(arguments: [
        (ListenAddress.tcp(host: "no.such.name", port: 0), ListenError.Reason.invalidAddress),
        (.tcp(host: "192.0.2.1", port: 0), .addressNotAvailable),
        (.unix(path: ""), .invalidAddress),
        (.unix(path: String(repeating: "x", count: 108)), .invalidAddress),
        (.unix(path: "/no/such/folder/socket"), .system(ENOENT)),
        (.unix(path: "/proc/version"), .notASocket),
    ])
    func whatIsInTheWayIsSaid(address: ListenAddress, reason: ListenError.Reason) throws {
        let server = try TestServer()
        let error = #expect(throws: ListenError.self) { try server.server.listen(on: address) }
        #expect(error?.reason == reason)
    }

    @Test func unixSocketsServeAndCleanUp() throws {
        let path = unixPath()
        let server = try TestServer { $1.respond(Response(.ok, text: "\($0.peer)")) }
        var options = ListenOptions()
        options.unixPermissions = 0o600
        try server.server.listen(on: .unix(path: path), options: options)
        var status = stat()
        #expect(lstat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        let client = try RawClient(unixPath: path)
        client.send("/".get)
        #expect(try client.readAnswer().body == "unix")
        let isDone = Box(false)
        server.server.stop { isDone.update { $0 = true } }
        #expect(eventually { isDone.value })
        #expect(access(path, F_OK) != 0, "the socket's file is removed")
    }

    @Test func aStaleUnixSocketIsReplacedAndALiveOneIsNot() throws {
        let path = unixPath()
        let stale = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let bound = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(stale, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(bound == 0)
        close(stale)
        let server = try TestServer()
        try server.server.listen(on: .unix(path: path))
        let error = #expect(throws: ListenError.self) { try server.server.listen(on: .unix(path: path)) }
        #expect(error?.reason == .addressInUse)
        let client = try RawClient(unixPath: path)
        client.send("/a".get)
        #expect(try client.readAnswer().body == "/a")
    }

    static let hasIPv6 = FileManager.default.contents(atPath: "/proc/net/if_inet6")?.isEmpty == false

    @Test(.enabled(if: hasIPv6, "this machine has no IPv6"))
    func ipv6ServesBothFamilies() throws {
        let server = try TestServer { $1.respond(Response(.ok, text: "\($0.peer)")) }
        guard case .tcp(_, let port) = try server.server.listen(on: .tcp(host: "::", port: 0)) else { return }
        for (host, prefix) in [("::1", "[0:0:0:0:0:0:0:1]:"), ("127.0.0.1", "127.0.0.1:")] {
            let client = try RawClient(host: host, port: port)
            client.send("/".get)
            #expect(try client.readAnswer().body.hasPrefix(prefix))
        }
    }

    @Test func connectionsBeyondTheCapAreToldSo() throws {
        let server = try TestServer { $0.maxConnections = 3 }
        let clients = try (0..<3).map { _ in try server.client() }
        for client in clients {
            client.send("/".get)
            #expect(try client.readAnswer().status == 200)
        }
        let refused = try server.client()
        let answer = try refused.readAnswer()
        #expect(answer.status == 503)
        #expect(answer.headers["retry-after"] == "1")
        #expect(answer.headers["connection"] == "close")
        #expect(try refused.readToEnd() == "")
        refused.close()
        clients[0].close()
        #expect(eventually { server.server.connectionCount == 2 })
        let welcome = try server.client()
        welcome.send("/".get)
        #expect(try welcome.readAnswer().status == 200)
        clients[1].send("/".get)
        #expect(try clients[1].readAnswer().status == 200, "those within the cap were not disturbed")
    }
}
