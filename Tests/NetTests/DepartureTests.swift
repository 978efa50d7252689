import HTTP1
import Net
import TestSupport
import Testing

/// Clients that go away, and clients that only look as if they did.
@Suite struct DepartureTests {
    /// A server whose handler holds its responder, with a count of cancellations.
    private struct Holding {
        let server: TestServer
        let held: Box<[any Responder]>
        let cancelled: Box<Int>

        init(isStream: Bool = false, _ configure: (inout NetConfiguration) -> Void = { _ in }) throws {
            let held = Box<[any Responder]>([])
            let cancelled = Box(0)
            server = try TestServer(configure) { _, responder in
                responder.onCancel { cancelled.update { $0 += 1 } }
                if isStream { responder.start(ResponseHead(.ok)) }
                held.update { $0.append(responder) }
            }
            self.held = held
            self.cancelled = cancelled
        }

        func request(_ text: String = "/".get) throws -> RawClient {
            let count = held.value.count
            let client = try server.client()
            client.send(text)
            #expect(eventually { held.value.count == count + 1 })
            return client
        }
    }

    @Test func aResetIsNoticedWhileAnAnswerIsAwaited() throws {
        let holding = try Holding()
        let client = try holding.request()
        client.reset()
        #expect(eventually(within: .seconds(2)) { holding.cancelled.value == 1 })
        #expect(holding.held.value.first?.isCancelled == true)
        #expect(eventually { holding.server.server.connectionCount == 0 })
        // An answer that comes too late goes nowhere and harms nothing.
        holding.held.value.first?.respond(Response(.ok, text: "late"))
    }

    /// What curl does at Ctrl-C and every client at its timeout: an orderly close.
    @Test func aCloseIsNoticedWhileAnAnswerIsAwaited() throws {
        let holding = try Holding()
        let client = try holding.request()
        let start = ContinuousClock.now
        client.close()
        #expect(eventually(within: .seconds(5)) { holding.cancelled.value == 1 })
        #expect(ContinuousClock.now - start < .seconds(2))
        #expect(eventually { holding.server.server.connectionCount == 0 })
    }

    @Test func aCloseIsNoticedInTheMiddleOfAStream() throws {
        let holding = try Holding(isStream: true)
        let client = try holding.request()
        _ = try client.read(until: "\r\n\r\n")
        client.close()
        let responder = try #require(holding.held.value.first)
        var written = 0
        let noticed = eventually(within: .seconds(2)) {
            if !responder.isCancelled {
                responder.write(Array("token".utf8))
                written += 1
            }
            return holding.cancelled.value == 1
        }
        #expect(noticed)
        #expect(written < 100, "within a few tokens at 2 ms each")
    }

    @Test func aCloseIsNoticedByAStreamThatIsSilent() throws {
        let holding = try Holding(isStream: true) { $0.halfClose = .probe(after: .milliseconds(10)) }
        let client = try holding.request()
        client.send("left unread")
        _ = try client.read(until: "\r\n\r\n")
        client.reset()
        #expect(eventually(within: .seconds(2)) { holding.cancelled.value == 1 })
    }

    @Test func aCloseOfAUnixSocketIsNoticedAtOnce() throws {
        let holding = try Holding { $0.halfClose = .answer }
        let path = "/tmp/catena-net-\(UInt32.random(in: 0...UInt32.max)).sock"
        try holding.server.server.listen(on: .unix(path: path))
        let client = try RawClient(unixPath: path)
        client.send("/".get)
        #expect(eventually { holding.held.value.count == 1 })
        client.close()
        #expect(eventually(within: .seconds(2)) { holding.cancelled.value == 1 })
    }

    /// A client that floods its connection while it waits is not read any more; that it goes away is noticed all the same.
    @Test(arguments: [true, false])
    func departureIsNoticedBehindAFullBuffer(byReset: Bool) throws {
        let holding = try Holding { $0.keepAliveTimeout = .milliseconds(400) }
        let client = try holding.request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        client.send([UInt8](repeating: 0x47, count: 100_000))
        if byReset { client.reset() } else { client.close() }
        #expect(eventually(within: .seconds(5)) { holding.cancelled.value == 1 })
    }

    /// `printf ... | nc -N`: the request, then FIN, then reading.
    @Test func aHalfClosedClientGetsItsAnswer() throws {
        let holding = try Holding()
        let client = try holding.request()
        client.shutdownWriting()
        #expect(client.staysSilent(for: .milliseconds(50)))
        holding.held.value.first?.respond(Response(.ok, text: "answer"))
        #expect(try client.readAnswer().body == "answer")
        #expect(try client.readToEnd() == "")
        #expect(holding.cancelled.value == 0)
        #expect(eventually { holding.server.server.connectionCount == 0 })
    }

    @Test func aHalfClosedClientGetsItsStreamAndAllPipelinedAnswers() throws {
        let holding = try Holding(isStream: true)
        let client = try holding.server.client()
        client.send("/a".get + "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
        client.shutdownWriting()
        for index in 0..<2 {
            #expect(eventually { holding.held.value.count == index + 1 })
            let responder = try #require(holding.held.value.last)
            responder.write(Array("one".utf8))
            responder.write(Array("two".utf8))
            responder.finish()
        }
        #expect(try client.readAnswer().body == "onetwo")
        #expect(try client.readAnswer().body == "onetwo")
        #expect(try client.readToEnd() == "")
    }

    @Test func aHalfClosedClientThatWaitsIsProbed() throws {
        let holding = try Holding { $0.halfClose = .probe(after: .milliseconds(20)) }
        let client = try holding.request()
        client.shutdownWriting()
        #expect(try client.readAnswer().status == 102)
        holding.held.value.first?.respond(Response(.ok, text: "answer"))
        var answer = try client.readAnswer()
        while answer.status == 102 { answer = try client.readAnswer() }
        #expect(answer.body == "answer")
        #expect(holding.cancelled.value == 0)
    }

    /// The client half-closes, is probed in vain, and goes away only later.
    @Test func probingGoesOn() throws {
        let holding = try Holding { $0.halfClose = .probe(after: .milliseconds(10)) }
        let client = try holding.request()
        client.shutdownWriting()
        #expect(try client.readAnswer().status == 102)
        client.close()
        #expect(eventually(within: .seconds(8)) { holding.cancelled.value == 1 })
    }

    @Test func http10IsNeverProbed() throws {
        let holding = try Holding { $0.halfClose = .probe(after: .milliseconds(10)) }
        let client = try holding.request("GET / HTTP/1.0\r\n\r\n")
        client.shutdownWriting()
        #expect(client.staysSilent(for: .milliseconds(200)))
        holding.held.value.first?.respond(Response(.ok, text: "answer"))
        #expect(try client.readAnswer().body == "answer")
    }

    @Test func halfCloseCancelsWhereTheConfigurationSaysSo() throws {
        let holding = try Holding { $0.halfClose = .cancel }
        let client = try holding.request()
        client.shutdownWriting()
        #expect(eventually(within: .seconds(2)) { holding.cancelled.value == 1 })
        #expect(try client.readToEnd() == "")
    }

    @Test func halfCloseIsAnsweredWithoutProbesWhereTheConfigurationSaysSo() throws {
        let holding = try Holding { $0.halfClose = .answer }
        let client = try holding.request()
        client.shutdownWriting()
        #expect(client.staysSilent(for: .milliseconds(300)))
        holding.held.value.first?.respond(Response(.ok, text: "answer"))
        #expect(try client.readAnswer().body == "answer")
    }

    @Test func anIncompleteRequestIs400() throws {
        let server = try TestServer()
        for text in ["GET / HTTP/1.1\r\nHo", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell"] {
            let client = try server.client()
            client.send(text)
            client.shutdownWriting()
            #expect(try client.readAnswer().status == 400)
            #expect(try client.readToEnd() == "")
        }
    }

    /// HAProxy's default health check: `OPTIONS / HTTP/1.0`, ended by a reset.
    @Test func aHealthCheckEndedByAResetIsOrdinary() throws {
        let server = try TestServer()
        for _ in 0..<50 {
            let client = try server.client()
            client.send("OPTIONS / HTTP/1.0\r\n\r\n")
            _ = try client.read(until: "\r\n")
            client.reset()
        }
        #expect(eventually { server.server.connectionCount == 0 })
        let client = try server.client()
        client.send("/".get)
        #expect(try client.readAnswer().status == 200)
    }
}
