import Foundation
import HTTP1
import Net
import TestSupport
import Testing

/// What many clients together, or one client with many connections, may take.
@Suite struct CapTests {
    @Test func oneAddressMayNotTakeAllPlaces() throws {
        let server = try TestServer { $0.maxConnectionsPerAddress = 2 }
        let clients = try (0..<2).map { _ in try server.client() }
        for client in clients {
            client.send("/".get)
            #expect(try client.readAnswer().status == 200)
        }
        let refused = try server.client()
        let answer = try refused.readAnswer()
        #expect(answer.status == 503)
        #expect(answer.headers["retry-after"] == "1")
        #expect(answer.body.contains("address"))
        #expect(try refused.readToEnd() == "")
        refused.close()
        clients[0].close()
        #expect(eventually { server.server.connectionCount == 1 })
        let welcome = try server.client()
        welcome.send("/".get)
        #expect(try welcome.readAnswer().status == 200, "a place that was left is free again")
        clients[1].send("/".get)
        #expect(try clients[1].readAnswer().status == 200, "and who stayed has kept its own")
    }

    @Test func allListenersCountTogetherAndUnixSocketsNot() throws {
        let server = try TestServer { $0.maxConnectionsPerAddress = 1 }
        guard case .tcp(_, let port) = try server.server.listen(on: .tcp(host: "0.0.0.0", port: 0)) else { return }
        let path = "/tmp/catena-net-\(UInt32.random(in: 0...UInt32.max)).sock"
        try server.server.listen(on: .unix(path: path))
        let unix = try (0..<3).map { _ in try RawClient(unixPath: path) }
        let first = try server.client()
        for client in unix + [first] {
            client.send("/".get)
            #expect(try client.readAnswer().status == 200)
        }
        // The same address, though at another listener.
        #expect(try RawClient(port: port).readAnswer().status == 503)
    }

    /// An IPv4 client of an IPv6 socket counts as what it is.
    @Test(.enabled(if: ListenTests.hasIPv6, "this machine has no IPv6"))
    func familiesAreCountedApart() throws {
        let server = try TestServer { $0.maxConnectionsPerAddress = 1 }
        guard case .tcp(_, let port) = try server.server.listen(on: .tcp(host: "::", port: 0)) else { return }
        let ipv6 = try RawClient(host: "::1", port: port)
        let ipv4 = try RawClient(host: "127.0.0.1", port: port)
        for client in [ipv6, ipv4] {
            client.send("/".get)
            #expect(try client.readAnswer().status == 200)
        }
        #expect(try RawClient(host: "::1", port: port).readAnswer().status == 503)
        #expect(try RawClient(host: "127.0.0.1", port: port).readAnswer().status == 503)
    }

    /// Refused connections that stay are closed, and they take no place from anybody else.
    @Test func aFloodFromOneAddressLeavesThePlacesOfOthers() throws {
        let server = try TestServer {
            $0.maxConnections = 100
            $0.maxConnectionsPerAddress = 10
            $0.lingerTimeout = .seconds(60)
        }
        let path = "/tmp/catena-net-\(UInt32.random(in: 0...UInt32.max)).sock"
        try server.server.listen(on: .unix(path: path))
        let flood = try (0..<400).map { _ in try server.client() }
        // Of the 390 that are refused 64 are told so and linger; the others are closed at once.
        #expect(eventually { server.server.connectionCount == 74 })
        let other = try RawClient(unixPath: path)
        other.send("/".get)
        #expect(try other.readAnswer().status == 200)
        for client in flood { client.close() }
        #expect(eventually { server.server.connectionCount == 1 })
        other.send("/".get)
        #expect(try other.readAnswer().status == 200)
    }

    /// Slowloris, 200 of them: each within every limit, none with a complete head. A client that means it is served.
    @Test func slowHeadersOf200ConnectionsDoNotStopAHealthyClient() throws {
        let server = try TestServer { $0.headerTimeout = .seconds(60) }
        let attackers = try (0..<200).map { _ in try server.client() }
        for attacker in attackers { attacker.send("GET / HTTP/1.1\r\nHost: a\r\nX-A: ") }
        let healthy = try server.client()
        for round in 0..<50 {
            for attacker in attackers.dropFirst(round * 4).prefix(4) { attacker.send("b") }
            healthy.send("/\(round)".get)
            #expect(try healthy.readAnswer().body == "/\(round)")
        }
        let newcomer = try server.client()
        newcomer.send("/new".get)
        #expect(try newcomer.readAnswer().body == "/new")
        // Clients that are mentioned no more are closed.
        withExtendedLifetime((attackers, healthy, newcomer)) { #expect(server.server.connectionCount == 202) }
    }

    /// The same with bodies that never end, and with readers that never read.
    @Test func slowBodiesAndSlowReadersDoNotStopAHealthyClient() throws {
        let server = try TestServer { request, responder in
            guard request.head.path == "/big" else { return responder.respond(Response(.ok, text: request.head.path)) }
            responder.respond(Response(ResponseHead(.ok), body: [UInt8](repeating: 0x78, count: 256 << 10)))
        }
        let senders = try (0..<100).map { _ in try server.client() }
        for sender in senders { sender.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx") }
        let readers = try (0..<100).map { _ in try server.client(receiveBuffer: 4096) }
        for reader in readers { reader.send("/big".get) }
        let healthy = try server.client()
        for round in 0..<50 {
            senders[round].send("y")
            healthy.send("/\(round)".get)
            #expect(try healthy.readAnswer().body == "/\(round)")
        }
    }

    // MARK: The memory of bodies

    /// A server that holds every request it is given.
    private func hoarder(
        _ configure: (inout NetConfiguration) -> Void
    ) throws -> (TestServer, Box<[(Request, any Responder)]>) {
        let held = Box<[(Request, any Responder)]>([])
        let server = try TestServer(configure) { request, responder in
            if request.head.method == .get { return responder.respond(Response(.ok, text: "ok")) }
            held.update { $0.append((request, responder)) }
        }
        return (server, held)
    }

    private func post(_ count: Int) -> String { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(count)\r\n\r\n" }

    @Test func allBodiesTogetherAreBounded() throws {
        let (server, held) = try hoarder { $0.bodiesTotal = 100_000 }
        let first = try server.client()
        first.send(post(60_000))
        first.send([UInt8](repeating: 0x61, count: 60_000))
        #expect(eventually { held.value.count == 1 })
        let second = try server.client()
        second.send(post(60_000))
        second.send([UInt8](repeating: 0x62, count: 60_000))
        let answer = try second.readAnswer()
        #expect(answer.status == 503)
        #expect(answer.headers["retry-after"] == "1")
        #expect(answer.headers["connection"] == "close")
        let small = try server.client()
        small.send(post(10_000))
        small.send([UInt8](repeating: 0x63, count: 10_000))
        #expect(eventually { held.value.count == 2 }, "what fits is taken")
        small.close()
        first.send("")
        // The handler lets go of the request, before it has answered.
        let responders = held.value.map(\.1)
        held.update { $0 = [] }
        #expect(eventually { responders.count == 2 })
        let third = try server.client()
        third.send(post(90_000))
        third.send([UInt8](repeating: 0x64, count: 90_000))
        #expect(eventually { held.value.count == 1 }, "what was let go of is free again")
        responders[0].respond(Response(.ok, text: "first"))
        #expect(try first.readAnswer().body == "first")
    }

    /// Attack: announce much, send nothing. What did not come takes nothing from others.
    @Test func announcedBytesDoNotCount() throws {
        let (server, held) = try hoarder { $0.bodiesTotal = 100_000 }
        let announcers = try (0..<50).map { _ in try server.client() }
        for announcer in announcers { announcer.send(post(90_000) + "x") }
        let client = try server.client()
        client.send(post(90_000))
        client.send([UInt8](repeating: 0x61, count: 90_000))
        #expect(eventually { held.value.count == 1 })
    }

    @Test func bodiesOfClientsThatLeaveAreFreeAgain() throws {
        let (server, held) = try hoarder { $0.bodiesTotal = 100_000 }
        for _ in 0..<5 {
            let leaver = try server.client()
            leaver.send(post(90_000))
            leaver.send([UInt8](repeating: 0x61, count: 80_000))
            leaver.close()
            #expect(eventually { server.server.connectionCount == 0 })
        }
        let client = try server.client()
        client.send(post(90_000))
        client.send([UInt8](repeating: 0x61, count: 90_000))
        #expect(eventually { held.value.count == 1 })
    }

    @Test func aRequestWithoutABodyIsServedWhenNoneMayCome() throws {
        let (server, held) = try hoarder { $0.bodiesTotal = 1000 }
        let hoarded = try server.client()
        hoarded.send(post(1000))
        hoarded.send([UInt8](repeating: 0x61, count: 1000))
        #expect(eventually { held.value.count == 1 })
        let client = try server.client()
        client.send("/".get)
        #expect(try client.readAnswer().status == 200)
    }
}
