import HTTP1
import Net
import TestSupport
import Testing

/// Handlers that make mistakes: the client must never hang, nor be told half of something as a whole.
@Suite struct ResponderTests {
    @Test func aForgottenAnswerIs500() throws {
        let server = try TestServer { request, responder in
            if request.head.path != "/forget" { responder.respond(Response(.ok, text: "ok")) }
        }
        let client = try server.client()
        client.send("/forget".get)
        #expect(try client.readAnswer().status == 500)
        client.send("/".get)
        #expect(try client.readAnswer().status == 200, "the connection is none the worse")
    }

    @Test func anAnswerForgottenLaterIs500() throws {
        let held = Box<[any Responder]>([])
        let server = try TestServer { _, responder in held.update { $0.append(responder) } }
        let client = try server.client()
        client.send("/".get)
        #expect(eventually { held.value.count == 1 })
        held.update { $0 = [] }
        #expect(try client.readAnswer().status == 500)
    }

    @Test func aForgottenStreamIsCutAndNotEnded() throws {
        let server = try TestServer { _, responder in
            responder.start(ResponseHead(.ok))
            responder.write(Array("half".utf8))
        }
        let client = try server.client()
        client.send("/".get)
        let text = try client.readToEnd()
        #expect(!text.hasSuffix("0\r\n\r\n"), "it must not look complete: \(text)")
    }

    @Test func headerInjectionBecomes500() throws {
        let server = try TestServer { _, responder in
            responder.respond(Response(ResponseHead(.ok, headers: ["X": "a\r\nSet-Cookie: evil"])))
        }
        let client = try server.client()
        client.send("/".get)
        let answer = try client.readAnswer()
        #expect(answer.status == 500)
        #expect(answer.headers["set-cookie"] == nil)
    }

    @Test func aStreamWithABadHeadBecomes500Once() throws {
        let server = try TestServer { _, responder in
            responder.start(ResponseHead(.ok, headers: ["X": "a\nb"]))
            responder.write(Array("token".utf8))
            responder.finish()
        }
        let client = try server.client()
        client.send("/".get + "/".get)
        for _ in 0..<2 { #expect(try client.readAnswer().status == 500) }
        #expect(client.staysSilent(for: .milliseconds(50)))
    }

    @Test func callsThatDoNotFitDoNothing() throws {
        let server = try TestServer { _, responder in
            responder.write(Array("too early".utf8))
            responder.finish()
            responder.respond(Response(.ok, text: "first"))
            responder.respond(Response(.ok, text: "second"))
            responder.start(ResponseHead(.ok))
            responder.write(Array("third".utf8))
            responder.finish()
        }
        let client = try server.client()
        client.send("/".get + "/".get)
        for _ in 0..<2 { #expect(try client.readAnswer().body == "first") }
        #expect(client.staysSilent(for: .milliseconds(50)))
    }

    @Test func cancellationIsToldOnceAndAlsoAfterwards() throws {
        let held = Box<[any Responder]>([])
        let server = try TestServer { _, responder in held.update { $0.append(responder) } }
        let client = try server.client()
        client.send("/".get)
        #expect(eventually { held.value.count == 1 })
        client.reset()
        let responder = try #require(held.value.first)
        #expect(eventually { responder.isCancelled })
        let calls = Box(0)
        responder.onCancel { calls.update { $0 += 1 } }
        #expect(calls.value == 1, "gone already: told at once")
    }

    @Test func aCompleteAnswerIsNotCancelled() throws {
        let held = Box<[any Responder]>([])
        let calls = Box(0)
        let server = try TestServer { _, responder in
            responder.onCancel { calls.update { $0 += 1 } }
            responder.respond(Response(.ok, text: "done"))
            held.update { $0.append(responder) }
        }
        let client = try server.client()
        client.send("/".get)
        #expect(try client.readAnswer().status == 200)
        client.reset()
        #expect(eventually { server.server.connectionCount == 0 })
        held.value.first?.onCancel { calls.update { $0 += 1 } }
        #expect(calls.value == 0)
        #expect(held.value.first?.isCancelled == false)
    }
}
