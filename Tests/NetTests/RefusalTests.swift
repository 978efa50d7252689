import HTTP1
import Net
import TestSupport
import Testing

/// Errors, early answers and `100 Continue`: what is decided before a request is complete, and that the client gets to
/// read it.
@Suite struct RefusalTests {
    @Test(arguments: [
        ("GET / HTTP/1.1\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/3.0\r\n\r\n", 505),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 20_000))\r\n\r\n", 431),
        ("GET /\(String(repeating: "x", count: 20_000)) HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    ])
    func errorsAreAnsweredAndClose(request: String, status: Int) throws {
        let server = try TestServer()
        let client = try server.client()
        client.send(request)
        let answer = try client.readAnswer()
        #expect(answer.status == status)
        #expect(answer.headers["connection"] == "close")
        #expect(!answer.body.isEmpty)
        #expect(try client.readToEnd() == "")
    }

    /// The handler hears of each once, with what is known of it.
    @Test(
        arguments: [
            ("nonsense\r\n", nil, false, 0), ("GET /a\u{1} HTTP/1.1\r\n", nil, false, 0),
            ("GET /a HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", "/a", false, 0),
            ("GET /a HTTP/1.1\r\nX: b\r\n\r\n", "/a", false, 0),
            ("POST /a HTTP/1.1\r\nHost: a\r\nX: b\r\nContent-Length: 99999999999\r\n\r\n", "/a", false, 0),
            ("POST /a HTTP/1.1\r\nHost: a\r\nX: b\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhixyz", "/a", true, 2),
            ("BREW /a HTTP/1.1\r\nHost: a\r\nX: b\r\nConnection: close\r\n\r\n", "/a", true, 0),
            (
                "POST /a HTTP/1.1\r\nX: b\r\nHost: a\r\nConnection: close\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx",
                "/a", true, 0
            ),
        ] as [(String, String?, Bool, Int)]
    )
    func theHandlerHearsOfIt(request: String, path: String?, isComplete: Bool, bodyBytes: Int) throws {
        let server = try TestServer()
        let client = try server.client()
        client.send(request)
        #expect(try client.readAnswer().status >= 400)
        #expect(try client.readToEnd() == "")
        let refused = try #require(server.refused.value.first)
        #expect(server.refused.value.count == 1)
        #expect(refused.head?.path == path && refused.isHeadComplete == isComplete && refused.bodyBytes == bodyBytes)
        #expect(refused.head?.headers["x"] == (path == nil ? nil : "b"))
        #expect(refused.arrival > 0)
        if case .ipv4(0x7F00_0001, _) = refused.peer {} else { Issue.record("\(refused.peer)") }
    }

    @Test func aRefusedHEADHasNoBody() throws {
        let server = try TestServer()
        let client = try server.client()
        client.send("HEAD / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n")
        #expect(try client.readAnswer(hasBody: false).status == 400)
        #expect(try client.readToEnd() == "")
    }

    /// A method that nobody knows is no framing error: 501, and the connection lives on.
    @Test func unknownMethodsAre501() throws {
        let server = try TestServer()
        let client = try server.client()
        client.send("BREW / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\npot" + "/next".get)
        #expect(try client.readAnswer().status == 501)
        #expect(try client.readAnswer().body == "/next")
    }

    /// RFC 9112, 9.6: the client is still sending when the error is written; without lingering a reset would eat it.
    @Test func errorsSurviveAClientThatGoesOnSending() throws {
        let server = try TestServer()
        for _ in 0..<20 {
            let client = try server.client()
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n")
            for _ in 0..<20 { client.send([UInt8](repeating: 0x78, count: 10_000)) }
            #expect(try client.readAnswer().status == 413)
            #expect(try client.readToEnd() == "")
        }
    }

    @Test func lingeringEnds() throws {
        let server = try TestServer { $0.lingerTimeout = .milliseconds(100) }
        let client = try server.client()
        client.send("nonsense\r\n")
        #expect(try client.readAnswer().status == 400)
        #expect(try client.readToEnd() == "")
        // The client neither closes nor sends.
        #expect(eventually { server.server.connectionCount == 0 })
    }

    private let expecting = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"

    @Test func continueIsSentBeforeTheBody() throws {
        let server = try TestServer { $1.respond(Response(.ok, text: String(decoding: $0.body, as: UTF8.self))) }
        let client = try server.client()
        client.send(expecting + "Content-Length: 5\r\n\r\n")
        #expect(try client.read(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
        client.send("hello")
        let answer = try client.readAnswer()
        #expect(answer.body == "hello")
        #expect(answer.headers["connection"] == nil)
    }

    @Test func continueWaitsForTheAnswersBeforeIt() throws {
        let held = Box<[any Responder]>([])
        let server = try TestServer { request, responder in
            held.update { $0.append(responder) }
        }
        let client = try server.client()
        client.send("/a".get + expecting + "Content-Length: 5\r\n\r\n")
        #expect(eventually { held.value.count == 1 })
        #expect(client.staysSilent(for: .milliseconds(50)))
        held.value.first?.respond(Response(.ok, text: "a"))
        #expect(try client.readAnswer().body == "a")
        #expect(try client.readAnswer().status == 100)
    }

    @Test func tooLargeIsDecidedBeforeContinue() throws {
        let server = try TestServer { $0.requestLimits.body = 10 }
        let client = try server.client()
        client.send(expecting + "Content-Length: 11\r\n\r\n")
        #expect(try client.readAnswer().status == 413)
        #expect(try client.readToEnd() == "")
    }

    @Test func anEarlyAnswerComesInsteadOfContinue() throws {
        let server = try TestServer(early: { _ in Response(.unauthorized, text: "no") })
        let client = try server.client()
        client.send(expecting + "Content-Length: 5\r\n\r\n")
        let answer = try client.readAnswer()
        #expect(answer.status == 401)
        // Whether the client sends the body now, nobody knows.
        #expect(answer.headers["connection"] == "close")
        #expect(try client.readToEnd() == "")
    }

    @Test func http10GetsNoContinue() throws {
        let server = try TestServer { $1.respond(Response(.ok, text: String(decoding: $0.body, as: UTF8.self))) }
        let client = try server.client()
        client.send("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        #expect(client.staysSilent(for: .milliseconds(50)))
        client.send("hello")
        #expect(try client.readAnswer().body == "hello")
    }

    @Test func aShortBodyIsDrainedAfterAnEarlyAnswer() throws {
        let handled = Box(0)
        let server = try TestServer(
            early: { $0.path == "/missing" ? Response(.notFound, text: "no") : nil },
            handle: { request, responder in
                handled.update { $0 += 1 }
                responder.respond(Response(.ok, text: request.head.path))
            }
        )
        let client = try server.client()
        client.send("POST /missing HTTP/1.1\r\nHost: a\r\nContent-Length: 26\r\n\r\n")
        let answer = try client.readAnswer()
        #expect(answer.status == 404, "the answer does not wait for the body")
        #expect(answer.headers["connection"] == nil)
        client.send("GET /smuggled HTTP/1.1\r\n\r\n" + "/next".get)
        #expect(try client.readAnswer().body == "/next")
        #expect(handled.value == 1)
    }

    @Test(arguments: ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
    func aLongBodyIsNotDrained(field: String) throws {
        let server = try TestServer(early: { _ in Response(.notFound, text: "no") })
        let client = try server.client()
        client.send("POST / HTTP/1.1\r\nHost: a\r\n\(field)\r\n\r\n")
        let answer = try client.readAnswer()
        #expect(answer.status == 404)
        #expect(answer.headers["connection"] == "close")
        #expect(try client.readToEnd() == "")
    }
}
