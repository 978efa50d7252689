import HTTP1
import Net
import TestSupport
import Testing

@Suite struct DrainTests {
    @Test func idleConnectionsCloseAndRequestsInFlightAreAnswered() throws {
        let held = Box<[any Responder]>([])
        // One lane, so that one connection's end tells that the drain has reached all of them.
        let server = try TestServer({ $0.lanes = 1 }) { request, responder in
            if request.head.path == "/stream" { responder.start(ResponseHead(.ok)) }
            if request.head.path == "/" { return responder.respond(Response(.ok, text: "ok")) }
            held.update { $0.append(responder) }
        }
        let idle = try server.client()
        idle.send("/".get)
        #expect(try idle.readAnswer().status == 200)
        let waiting = try server.client()
        waiting.send("/wait".get)
        #expect(eventually { held.value.count == 1 })
        let streaming = try server.client()
        streaming.send("/stream".get)
        #expect(eventually { held.value.count == 2 })
        _ = try streaming.read(until: "\r\n\r\n")
        let sending = try server.client()
        sending.send("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nh")
        #expect(eventually { server.server.connectionCount == 4 })

        let isDone = Box(false)
        server.server.drain(within: .seconds(60)) { isDone.update { $0 = true } }
        #expect(try idle.readToEnd() == "")
        #expect(eventually { (try? server.client()) == nil }, "nobody is accepted any more")
        held.value[0].respond(Response(.ok, text: "late"))
        let answer = try waiting.readAnswer()
        #expect(answer.body == "late")
        #expect(answer.headers["connection"] == "close")
        #expect(try waiting.readToEnd() == "")
        held.value[1].write(Array("token".utf8))
        held.value[1].finish()
        #expect(try streaming.readChunk() == "token")
        #expect(try streaming.readChunk() == "")
        #expect(try streaming.readToEnd() == "")
        #expect(!isDone.value, "a request is still on its way")
        sending.send("i")
        #expect(eventually { held.value.count == 3 })
        held.value[2].respond(Response(.ok, text: "posted"))
        #expect(try sending.readAnswer().body == "posted")
        for client in [idle, waiting, streaming, sending] { client.close() }
        #expect(eventually { isDone.value })
        #expect(server.server.connectionCount == 0)
    }

    /// What the kernel has taken in before the drain is served, though no event has told of it yet.
    @Test func aRequestThatIsHereAlreadyIsAnswered() throws {
        for _ in 0..<50 {
            let server = try TestServer()
            let client = try server.client()
            client.send("/first".get)
            #expect(try client.readAnswer().status == 200)
            client.send("/last".get)
            server.server.drain(within: .seconds(60)) {}
            #expect(try client.readAnswer().body == "/last")
            #expect(try client.readToEnd() == "")
        }
    }

    @Test func whatIsLeftAtTheDeadlineIsCancelled() throws {
        let cancelled = Box(0)
        let held = Box<[any Responder]>([])
        let server = try TestServer { _, responder in
            responder.onCancel { cancelled.update { $0 += 1 } }
            held.update { $0.append(responder) }
        }
        let client = try server.client()
        client.send("/".get)
        #expect(eventually { held.value.count == 1 })
        let isDone = Box(false)
        let start = ContinuousClock.now
        server.server.drain(within: .milliseconds(200)) { isDone.update { $0 = true } }
        #expect(eventually { isDone.value })
        #expect(ContinuousClock.now - start >= .milliseconds(200))
        #expect(cancelled.value == 1)
    }

    @Test func anIdleServerIsDoneAtOnce() throws {
        let server = try TestServer()
        let isDone = Box(false)
        let start = ContinuousClock.now
        server.server.drain(within: .seconds(60)) { isDone.update { $0 = true } }
        #expect(eventually { isDone.value })
        #expect(ContinuousClock.now - start < .seconds(5))
    }

    @Test func drainAndStopMayBothBeCalled() throws {
        let server = try TestServer()
        let client = try server.client()
        client.send("/".get)
        #expect(try client.readAnswer().status == 200)
        let done = Box(0)
        server.server.drain(within: .seconds(60)) { done.update { $0 += 1 } }
        server.server.stop { done.update { $0 += 1 } }
        server.server.stop()
        #expect(eventually { done.value == 2 })
    }
}
