import HTTP1
import Net
import TestSupport
import Testing

/// What every client counts on: framing, persistence and order of whole answers and streams.
@Suite struct AnswerTests {
    @Test func keepAliveServesOneRequestAfterAnother() throws {
        let server = try TestServer()
        let client = try server.client()
        for path in ["/one", "/two", "/three"] {
            client.send(path.get)
            let answer = try client.readAnswer()
            #expect(answer.status == 200)
            #expect(answer.body == path)
            #expect(answer.headers["connection"] == nil)
            #expect(answer.headers["date"]?.hasSuffix("GMT") == true)
        }
        withExtendedLifetime(client) { #expect(server.server.connectionCount == 1) }
    }

    @Test func aRequestMayArriveByteByByte() throws {
        let server = try TestServer { $1.respond(Response(.ok, text: String(decoding: $0.body, as: UTF8.self))) }
        let client = try server.client()
        for byte in "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello".utf8 { client.send([byte]) }
        #expect(try client.readAnswer().body == "hello")
    }

    @Test func connectionCloseIsHonoured() throws {
        let server = try TestServer()
        let client = try server.client()
        client.send("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + "/b".get)
        let answer = try client.readAnswer()
        #expect(answer.headers["connection"] == "close")
        #expect(try client.readToEnd() == "", "nothing may follow, though another request did")
    }

    @Test func http10ClosesUnlessAskedNotTo() throws {
        let server = try TestServer()
        let client = try server.client()
        client.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(try client.readAnswer().headers["connection"] == "keep-alive")
        client.send("GET /b HTTP/1.0\r\n\r\n")
        #expect(try client.readAnswer().headers["connection"] == "close")
        #expect(try client.readToEnd() == "")
    }

    @Test func headHasNoBody() throws {
        let server = try TestServer()
        let client = try server.client()
        client.send("HEAD /four HTTP/1.1\r\nHost: a\r\n\r\n" + "/next".get)
        #expect(try client.readAnswer(hasBody: false).headers["content-length"] == "5")
        #expect(try client.readAnswer().body == "/next", "the answer after it starts right behind its head")
    }

    @Test func streamsAreChunkedAndLeaveAtOnce() throws {
        let responders = Box<[any Responder]>([])
        let server = try TestServer { _, responder in
            responder.start(ResponseHead(.ok, headers: ["Content-Type": "text/event-stream"]))
            responders.update { $0.append(responder) }
        }
        let client = try server.client()
        client.send("/".get)
        let head = try client.read(until: "\r\n\r\n")
        #expect(head.contains("Transfer-Encoding: chunked\r\n"))
        let responder = try #require(responders.value.first)
        for piece in ["one", "two", "three"] {
            responder.write(Array(piece.utf8))
            #expect(try client.readChunk() == piece, "each piece arrives before the next is written")
        }
        responder.write([])
        responder.finish()
        #expect(try client.readChunk() == "")
        client.send("/again".get)
        #expect(try client.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 200"))
    }

    @Test func streamsToHTTP10EndByClosing() throws {
        let server = try TestServer { _, responder in
            responder.start(ResponseHead(.ok))
            responder.write(Array("hello ".utf8))
            responder.write(Array("world".utf8))
            responder.finish()
        }
        let client = try server.client()
        client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        let answer = try client.readAnswer()
        #expect(answer.headers["connection"] == "close")
        #expect(answer.headers["transfer-encoding"] == nil)
        #expect(answer.body == "hello world")
    }

    @Test func bigBodiesGoBothWays() throws {
        let server = try TestServer({ $0.requestLimits.body = 64 << 20 }) { request, responder in
            responder.respond(Response(ResponseHead(.ok), body: request.body))
        }
        var body: [UInt8] = []
        for run in 0..<2000 { body.append(contentsOf: repeatElement(UInt8(run & 255), count: 10_007)) }
        let client = try server.client()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.count)\r\n\r\n")
        client.send(body)
        #expect(try client.read(until: "\r\n\r\n").contains("Content-Length: \(body.count)\r\n"))
        #expect(try client.read(count: body.count) == body)
    }

    @Test func chunkedUploadsAreJoined() throws {
        let server = try TestServer { $1.respond(Response(.ok, text: String(decoding: $0.body, as: UTF8.self))) }
        let client = try server.client()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n")
        client.send("6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n" + "/".get)
        #expect(try client.readAnswer().body == "hello world")
        #expect(try client.readAnswer().status == 200)
    }

    @Test func handlersLearnPeerAndArrival() throws {
        let server = try TestServer { request, responder in
            responder.respond(Response(.ok, text: "\(request.peer) \(request.arrival > 0)"))
        }
        let client = try server.client()
        client.send("/".get)
        let words = try client.readAnswer().body.split(separator: " ")
        #expect(words.first?.hasPrefix("127.0.0.1:") == true)
        #expect(words.last == "true")
    }

    /// Thirty-two streams pushed step by step from one thread, as the engine does; every stream gets all of its tokens.
    @Test func oneThreadFeedsManyStreams() throws {
        let responders = Box<[any Responder]>([])
        let server = try TestServer { _, responder in
            responder.start(ResponseHead(.ok))
            responders.update { $0.append(responder) }
        }
        let clients = try (0..<32).map { _ in try server.client() }
        for client in clients { client.send("/".get) }
        #expect(eventually { responders.value.count == 32 })
        for step in 0..<200 {
            for responder in responders.value { responder.write(Array("<\(step)>".utf8)) }
        }
        for responder in responders.value { responder.finish() }
        let expected = (0..<200).map { "<\($0)>" }.joined()
        for client in clients { #expect(try client.readAnswer().body == expected) }
    }
}
