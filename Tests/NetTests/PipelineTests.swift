import HTTP1
import Net
import TestSupport
import Testing

/// RFC 9112, 9.3.2: several requests before the first answer.
@Suite struct PipelineTests {
    /// A server that keeps its responders by path, for the test to answer in any order.
    private func holdingServer(
        _ configure: (inout NetConfiguration) -> Void = { _ in }
    ) throws -> (TestServer, Box<[String: any Responder]>) {
        let held = Box<[String: any Responder]>([:])
        let server = try TestServer(configure) { request, responder in
            held.update { $0[request.head.path] = responder }
        }
        return (server, held)
    }

    private func post(_ path: String) -> String {
        "POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
    }

    @Test func answersKeepTheOrderOfRequestsNotOfCompletion() throws {
        let (server, held) = try holdingServer()
        let client = try server.client()
        client.send("/a".get + "/b".get + "/c".get)
        #expect(eventually { held.value.count == 3 }, "safe requests are worked on side by side")
        held.value["/c"]?.respond(Response(.ok, text: "c"))
        held.value["/b"]?.start(ResponseHead(.ok))
        held.value["/b"]?.write(Array("b1".utf8))
        #expect(client.staysSilent(for: .milliseconds(50)), "nothing may overtake the first answer")
        held.value["/a"]?.respond(Response(.ok, text: "a"))
        #expect(try client.readAnswer().body == "a")
        #expect(try client.read(until: "\r\n\r\n").contains("chunked"))
        #expect(try client.readChunk() == "b1", "what waited goes out as soon as its turn comes")
        held.value["/b"]?.write(Array("b2".utf8))
        held.value["/b"]?.finish()
        #expect(try client.readChunk() == "b2")
        #expect(try client.readChunk() == "")
        #expect(try client.readAnswer().body == "c")
    }

    @Test func unsafeRequestsWaitForTheirTurn() throws {
        let (server, held) = try holdingServer()
        let client = try server.client()
        client.send("/a".get + post("/b") + "/c".get)
        #expect(eventually { held.value["/a"] != nil })
        #expect(client.staysSilent(for: .milliseconds(50)))
        #expect(held.value["/b"] == nil, "a POST does not start beside another request")
        held.value["/a"]?.respond(Response(.ok, text: "a"))
        #expect(eventually { held.value["/b"] != nil })
        #expect(try client.readAnswer().body == "a")
        #expect(client.staysSilent(for: .milliseconds(50)))
        #expect(held.value["/c"] == nil, "nothing starts beside a POST")
        held.value["/b"]?.respond(Response(.ok, text: "b"))
        #expect(eventually { held.value["/c"] != nil })
        held.value["/c"]?.respond(Response(.ok, text: "c"))
        #expect(try client.readAnswer().body == "b")
        #expect(try client.readAnswer().body == "c")
    }

    @Test func noMoreThanAllowedAreInFlight() throws {
        let (server, held) = try holdingServer { $0.maxPipelined = 2 }
        let client = try server.client()
        client.send("/a".get + "/b".get + "/c".get)
        #expect(eventually { held.value.count == 2 })
        #expect(client.staysSilent(for: .milliseconds(50)))
        #expect(held.value["/c"] == nil)
        held.value["/a"]?.respond(Response(.ok, text: "a"))
        #expect(eventually { held.value["/c"] != nil })
    }

    @Test func aLongPipelineIsAnsweredInFull() throws {
        let server = try TestServer { $1.respond(Response(.ok, text: $0.head.path)) }
        let client = try server.client()
        let paths = (0..<5000).map { "/\($0)" }
        // Far more than the connection may buffer, so reading has to pause and go on.
        client.send(paths.map { $0.hasSuffix("7") ? post($0) : $0.get }.joined())
        for path in paths { #expect(try client.readAnswer().body == path) }
    }

    @Test func anErrorComesAfterTheAnswersBeforeIt() throws {
        let (server, held) = try holdingServer()
        let client = try server.client()
        client.send("/a".get + "GET / HTTP/1.1\n" + "/smuggled".get)
        #expect(eventually { held.value["/a"] != nil })
        held.value["/a"]?.respond(Response(.ok, text: "a"))
        #expect(try client.readAnswer().body == "a")
        let answer = try client.readAnswer()
        #expect(answer.status == 400)
        #expect(answer.headers["connection"] == "close")
        #expect(try client.readToEnd() == "")
        #expect(held.value["/smuggled"] == nil)
    }

    @Test func anAnswerThatClosesCancelsWhatIsBehindIt() throws {
        let (server, held) = try holdingServer()
        let client = try server.client()
        client.send("/a".get + "/b".get)
        #expect(eventually { held.value.count == 2 })
        let cancelled = Box(0)
        held.value["/b"]?.onCancel { cancelled.update { $0 += 1 } }
        held.value["/a"]?.respond(Response(ResponseHead(.ok, closesConnection: true)))
        #expect(eventually { cancelled.value == 1 })
        #expect(try client.readAnswer().headers["connection"] == "close")
        #expect(try client.readToEnd() == "")
    }
}
