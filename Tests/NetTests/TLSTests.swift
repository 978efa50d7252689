import Foundation
import Glibc
import HTTP1
import Net
import TLS
import TestSupport
import Testing

/// HTTPS over real sockets: the same server, the same clients, with TLS between them.
@Suite struct TLSTests {
    private static let tls12: Int32 = 0x0303
    private static let tls13: Int32 = 0x0304

    /// A server with a TLS port beside the plain one.
    struct Secure {
        let certificate = TestCertificate()
        let credentials: TLSCredentials
        let server: TestServer
        let port: UInt16

        init(
            _ configure: (inout NetConfiguration) -> Void = { _ in },
            handle: @escaping TestServer.Handle
        ) throws {
            server = try TestServer(configure, handle: handle)
            credentials = try TLSCredentials(certificate: certificate.certificate, key: certificate.key)
            let address = try server.server.listen(on: .tcp(host: "127.0.0.1", port: 0), credentials: credentials)
            guard case .tcp(_, let port) = address else { throw RawClient.Failure.cannotConnect(0) }
            self.port = port
        }

        init(_ configure: (inout NetConfiguration) -> Void = { _ in }) throws {
            try self.init(configure) { $1.respond(Response(.ok, text: $0.head.path)) }
        }

        /// A client that has connected and said nothing.
        func rawClient(receiveBuffer: Int32? = nil) throws -> RawClient {
            let client = try RawClient(port: port, receiveBuffer: receiveBuffer)
            client.owner = server
            return client
        }

        func client(
            _ session: TLSClientSession = TLSClientSession(),
            receiveBuffer: Int32? = nil
        ) throws -> RawClient {
            let client = try rawClient(receiveBuffer: receiveBuffer)
            try client.startTLS(session)
            return client
        }
    }

    @Test(arguments: [tls12, tls13])
    func servesOneRequestAfterAnother(version: Int32) throws {
        let secure = try Secure()
        let client = try secure.client(TLSClientSession(version: version, alpn: ["http/1.1"]))
        for path in ["/one", "/two", "/three"] {
            client.send(path.get)
            #expect(try client.readAnswer().body == path)
        }
        client.send("/four".get + "/five".get)
        for path in ["/four", "/five"] { #expect(try client.readAnswer().body == path) }
        let plain = try secure.server.client()
        plain.send("/plain".get)
        #expect(try plain.readAnswer().body == "/plain", "the plain port is none the worse")
    }

    /// Handshake, request and end, each byte in a segment of its own.
    @Test func theNetworkMayCutAnywhere() throws {
        let secure = try Secure { $1.respond(Response(.ok, text: String(decoding: $0.body, as: UTF8.self))) }
        let session = TLSClientSession()
        let client = try secure.rawClient()
        session.goOn()
        for byte in session.takeOutput() { client.sendRaw([byte]) }
        try client.startTLS(session)
        session.seal(Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello".utf8))
        for byte in session.takeOutput() { client.sendRaw([byte]) }
        #expect(try client.readAnswer().body == "hello")
    }

    @Test func bigBodiesGoBothWays() throws {
        let secure = try Secure({ $0.requestLimits.body = 32 << 20 }) { request, responder in
            responder.respond(Response(ResponseHead(.ok), body: request.body))
        }
        var body: [UInt8] = []
        for run in 0..<1000 { body.append(contentsOf: repeatElement(UInt8(run & 255), count: 10_007)) }
        // A client that reads little at a time: the server has to wait for it, a record at a time.
        let client = try secure.client(receiveBuffer: 4096)
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.count)\r\n\r\n")
        client.send(body)
        #expect(try client.read(until: "\r\n\r\n").contains("Content-Length: \(body.count)\r\n"))
        #expect(try client.read(count: body.count) == body)
    }

    @Test func streamsLeaveAtOnceAndEndWithCloseNotify() throws {
        let held = Box<[any Responder]>([])
        let secure = try Secure { _, responder in
            responder.start(ResponseHead(.ok, headers: ["Content-Type": "text/event-stream"]))
            held.update { $0.append(responder) }
        }
        let session = TLSClientSession()
        let client = try secure.client(session)
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        _ = try client.read(until: "\r\n\r\n")
        let responder = try #require(held.value.first)
        for piece in ["one", "two", "three"] {
            responder.write(Array(piece.utf8))
            #expect(try client.readChunk() == piece)
        }
        #expect(eventually { responder.unsentBytes == 0 })
        responder.finish()
        #expect(try client.readChunk() == "")
        #expect(try client.readToEnd() == "")
        #expect(session.isClosedByPeer)
    }

    /// RFC 9112, 9.8: a stream that was cut must not look complete, also not where the end of the connection ends it.
    @Test func aForgottenStreamEndsWithoutCloseNotify() throws {
        let secure = try Secure { _, responder in
            responder.start(ResponseHead(.ok))
            responder.write(Array("half".utf8))
        }
        let session = TLSClientSession()
        let client = try secure.client(session)
        client.send("GET / HTTP/1.0\r\n\r\n")
        _ = try? client.readToEnd()
        #expect(!session.isClosedByPeer)
    }

    @Test(arguments: ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "get", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
    func plainHTTPIsToldSo(request: String) throws {
        let secure = try Secure()
        let client = try secure.rawClient()
        client.send(request)
        let answer = try client.readAnswer()
        #expect(answer.status == 400)
        #expect(answer.body.contains("https"))
        #expect(answer.headers["connection"] == "close")
        #expect(try client.readToEnd() == "")
    }

    /// A client that breaks the protocol gets to read an alert.
    @Test(arguments: [[23, 3, 3, 0, 1, 0], [22, 3, 1, 255, 255], [22, 3, 1, 0, 4, 14, 0, 0, 0]] as [[UInt8]])
    func mistakesAreAnsweredWithAnAlert(bytes: [UInt8]) throws {
        let secure = try Secure()
        let client = try secure.rawClient()
        client.sendRaw(bytes)
        #expect(try client.readToEnd().utf8.first == 21)
    }

    /// One that speaks something else would not understand it.
    @Test(arguments: [[22, 9, 9, 0, 1, 0], [0, 0, 0, 0, 0], [0x80, 0x2E, 1, 0, 2, 0, 0, 0]] as [[UInt8]])
    func noiseIsAnsweredWithTheEnd(bytes: [UInt8]) throws {
        let secure = try Secure()
        let client = try secure.rawClient()
        client.sendRaw(bytes)
        client.shutdownWriting()
        #expect(try client.readToEnd() == "")
        #expect(eventually { secure.server.server.connectionCount == 0 })
    }

    @Test func aDamagedRecordCancelsWhatIsInFlight() throws {
        let held = Box<[any Responder]>([])
        let secure = try Secure { _, responder in held.update { $0.append(responder) } }
        let client = try secure.client()
        client.send("/".get)
        #expect(eventually { held.value.count == 1 })
        client.sendRaw([23, 3, 3, 0, 20] + [UInt8](repeating: 0, count: 20))
        let responder = try #require(held.value.first)
        #expect(eventually { responder.isCancelled })
        #expect(throws: (any Error).self) { try client.readToEnd() }
    }

    @Test func aSlowHandshakeIsClosed() throws {
        let secure = try Secure { $0.headerTimeout = .milliseconds(200) }
        let silent = try secure.rawClient()
        #expect(try silent.readToEnd() == "")
        let slow = try secure.rawClient()
        let session = TLSClientSession()
        session.goOn()
        let hello = session.takeOutput()
        let start = ContinuousClock.now
        var next = 0
        // Every byte well within any idle timeout, the handshake never complete.
        while slow.staysSilent(for: .milliseconds(20)), ContinuousClock.now - start < .seconds(5),
            next + 1 < hello.count
        {
            slow.sendRaw([hello[next]])
            next += 1
        }
        do {
            #expect(try slow.readToEnd() == "")
        } catch RawClient.Failure.connectionReset(let received) {
            // A byte that was on its way when the server closed is answered so.
            #expect(received.isEmpty)
        }
        // The header's time is for handshake and header together.
        let idle = try secure.client()
        #expect(try idle.readToEnd() == "")
    }

    @Test func idleConnectionsEndWithCloseNotify() throws {
        let secure = try Secure { $0.keepAliveTimeout = .milliseconds(100) }
        let session = TLSClientSession()
        let client = try secure.client(session)
        client.send("/".get)
        #expect(try client.readAnswer().status == 200)
        #expect(try client.readToEnd() == "")
        #expect(session.isClosedByPeer)
    }

    @Test func aSlowReaderIsDropped() throws {
        let secure = try Secure({ $0.writeTimeout = .milliseconds(200) }) {
            $1.respond(Response(ResponseHead(.ok), body: [UInt8](repeating: 0x78, count: 16 << 20)))
        }
        let client = try secure.client(receiveBuffer: 4096)
        client.send("/".get)
        #expect(eventually { secure.server.server.connectionCount == 0 }, "nothing is read, so it must be dropped")
    }

    /// Attack: each key update must be answered with one; answers that nobody reads would pile up.
    @Test func keyUpdatesThatNobodyReadsTheAnswersOfEnd() throws {
        let secure = try Secure { $0.writeTimeout = .seconds(60) }
        // A Unix socket's buffer does not grow with what is in it, so it is soon full.
        let path = "/tmp/catena-net-\(UInt32.random(in: 0...UInt32.max)).sock"
        try secure.server.server.listen(on: .unix(path: path), credentials: secure.credentials)
        let session = TLSClientSession(version: Self.tls13)
        let client = try RawClient(unixPath: path)
        try client.startTLS(session)
        #expect(secure.server.server.connectionCount == 1)
        let isDropped = eventually {
            for _ in 0..<1000 { session.requestKeyUpdate() }
            client.sendRaw(session.takeOutput())
            return secure.server.server.connectionCount == 0
        }
        #expect(isDropped)
    }

    // MARK: The client's end

    private func holding(
        _ configure: (inout NetConfiguration) -> Void = { _ in }
    ) throws -> (Secure, Box<[any Responder]>) {
        let held = Box<[any Responder]>([])
        return (try Secure(configure) { _, responder in held.update { $0.append(responder) } }, held)
    }

    /// What every client does that gives up: close_notify, then (at once or never) the end.
    @Test(arguments: [tls12, tls13])
    func closeNotifyCancels(version: Int32) throws {
        let (secure, held) = try holding { $0.halfClose = .probe(after: .milliseconds(50)) }
        let client = try secure.client(TLSClientSession(version: version))
        client.send("/".get)
        #expect(eventually { held.value.count == 1 })
        client.sayEnd()
        #expect(eventually(within: .seconds(5)) { held.value.first?.isCancelled == true })
        #expect(eventually { secure.server.server.connectionCount == 0 })
    }

    @Test func closeNotifyLeavesTimeForAnAnswerInTLS13() throws {
        for policy in [HalfClosePolicy.probe(after: .seconds(60)), .answer] {
            let (secure, held) = try holding { $0.halfClose = policy }
            let session = TLSClientSession(version: Self.tls13)
            let client = try secure.client(session)
            client.send("/".get)
            #expect(eventually { held.value.count == 1 })
            client.sayEnd()
            usleep(50_000)
            #expect(held.value.first?.isCancelled == false)
            held.value.first?.respond(Response(.ok, text: "answer"))
            #expect(try client.readAnswer().body == "answer")
            #expect(try client.readToEnd() == "")
            #expect(session.isClosedByPeer)
        }
    }

    /// An end without close_notify: the same question as without TLS, and the same way to find out.
    @Test func anEndWithoutCloseNotifyIsProbed() throws {
        let (secure, held) = try holding { $0.halfClose = .probe(after: .milliseconds(20)) }
        let client = try secure.client()
        client.send("/".get)
        #expect(eventually { held.value.count == 1 })
        client.shutdownWriting()
        #expect(try client.readAnswer().status == 102)
        held.value.first?.respond(Response(.ok, text: "answer"))
        var answer = try client.readAnswer()
        while answer.status == 102 { answer = try client.readAnswer() }
        #expect(answer.body == "answer")
    }

    @Test(arguments: [true, false])
    func aCloseIsNoticed(byReset: Bool) throws {
        let (secure, held) = try holding()
        let client = try secure.client()
        client.send("/".get)
        #expect(eventually { held.value.count == 1 })
        if byReset { client.reset() } else { client.close() }
        #expect(eventually(within: .seconds(5)) { held.value.first?.isCancelled == true })
        #expect(eventually { secure.server.server.connectionCount == 0 })
    }

    @Test func aTruncatedRequestIsNotOne() throws {
        let (secure, held) = try holding()
        let client = try secure.client()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell")
        client.shutdownWriting()
        #expect(try client.readAnswer().status == 400)
        #expect(held.value.isEmpty)
    }

    // MARK: Certificates, caps, ends

    @Test func newConnectionsUseTheRenewedCertificate() throws {
        let secure = try Secure()
        let old = TLSClientSession()
        let before = try secure.client(old)
        #expect(old.peerName == "localhost")
        secure.certificate.write(name: "renewed.example")
        try secure.credentials.reload()
        let renewed = TLSClientSession()
        let after = try secure.client(renewed)
        #expect(renewed.peerName == "renewed.example")
        for client in [before, after] {
            client.send("/".get)
            #expect(try client.readAnswer().status == 200)
        }
    }

    @Test func connectionsBeyondTheCapGetNoHandshake() throws {
        let secure = try Secure { $0.maxConnections = 1 }
        let client = try secure.client()
        let refused = try secure.rawClient()
        #expect(throws: (any Error).self) { try refused.startTLS(TLSClientSession()) }
        client.send("/".get)
        #expect(try client.readAnswer().status == 200)
        withExtendedLifetime(client) { #expect(eventually { secure.server.server.connectionCount == 1 }) }
    }

    @Test func drainingEndsHandshakesAndFinishesAnswers() throws {
        let (secure, held) = try holding { $0.lanes = 1 }
        let shaking = try secure.rawClient()
        let client = try secure.client()
        client.send("/".get)
        #expect(eventually { held.value.count == 1 })
        let isDone = Box(false)
        secure.server.server.drain(within: .seconds(60)) { isDone.update { $0 = true } }
        #expect(try shaking.readToEnd() == "")
        held.value.first?.respond(Response(.ok, text: "late"))
        #expect(try client.readAnswer().body == "late")
        #expect(try client.readToEnd() == "")
        shaking.close()
        client.close()
        #expect(eventually { isDone.value })
    }

    /// In a process of its own, where nobody else opens descriptors.
    @Test func stormsOfHandshakesLeakNoDescriptors() async {
        await #expect(processExitsWith: .success) {
            let secure = try Secure { $1.respond(Response(.ok, text: "ok")) }
            func descriptors() -> Int {
                (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? -1
            }
            let before = descriptors()
            for round in 0..<3 {
                let clients = try (0..<60).map { _ in try secure.rawClient(receiveBuffer: 4096) }
                for (index, client) in clients.enumerated() {
                    switch (index + round) % 4 {
                    case 0: client.sendRaw([22, 3, 1])
                    case 1: client.sendRaw([22, 3, 1, 0, 1, 9])
                    case 2: try client.startTLS(TLSClientSession())
                    default:
                        try client.startTLS(TLSClientSession())
                        client.send("/".get)
                    }
                }
                for (index, client) in clients.enumerated() {
                    if index % 2 == 0 { client.reset() } else { client.close() }
                }
            }
            #expect(eventually { secure.server.server.connectionCount == 0 })
            #expect(eventually { descriptors() == before }, "descriptors leak")
        }
    }
}
