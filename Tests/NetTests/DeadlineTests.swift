import Glibc
import HTTP1
import Net
import TestSupport
import Testing

/// Clients that are slow on purpose.
@Suite struct DeadlineTests {
    @Test func aSlowHeadIs408() throws {
        let server = try TestServer { $0.headerTimeout = .milliseconds(200) }
        let client = try server.client()
        // Slowloris: every byte well within any idle timeout, the head never complete.
        let start = ContinuousClock.now
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX: ")
        while client.staysSilent(for: .milliseconds(20)), ContinuousClock.now - start < .seconds(5) { client.send("x") }
        let answer = try client.readAnswer()
        #expect(answer.status == 408)
        #expect(answer.headers["connection"] == "close")
        #expect(ContinuousClock.now - start >= .milliseconds(190))
    }

    @Test func aSlowBodyIs408() throws {
        let server = try TestServer {
            $0.bodyTimeout = .milliseconds(200)
            $0.minimumBodyRate = 1000
        }
        let client = try server.client()
        let start = ContinuousClock.now
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        while client.staysSilent(for: .milliseconds(20)), ContinuousClock.now - start < .seconds(5) { client.send("x") }
        #expect(try client.readAnswer().status == 408)
    }

    @Test func aBodyAtADecentRateMayTakeLongerThanTheTimeout() throws {
        let server = try TestServer(
            {
                $0.bodyTimeout = .milliseconds(100)
                $0.minimumBodyRate = 1000
            },
            handle: { $1.respond(Response(.ok, text: "\($0.body.count)")) }
        )
        let client = try server.client()
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n")
        for _ in 0..<20 {
            client.send([UInt8](repeating: 0x78, count: 200))
            usleep(20_000)
        }
        #expect(try client.readAnswer().body == "4000")
    }

    @Test func idleConnectionsAreClosedSilently() throws {
        let server = try TestServer { $0.keepAliveTimeout = .milliseconds(100) }
        let client = try server.client()
        client.send("/".get)
        #expect(try client.readAnswer().status == 200)
        #expect(try client.readToEnd() == "")
        #expect(eventually { server.server.connectionCount == 0 })
    }

    @Test func aConnectionThatNeverAsksIsClosedSilently() throws {
        let server = try TestServer { $0.headerTimeout = .milliseconds(100) }
        let client = try server.client()
        #expect(try client.readToEnd() == "")
    }

    @Test func aHandlerMayTakeLongerThanAnyTimeout() throws {
        let held = Box<[any Responder]>([])
        let server = try TestServer(
            {
                $0.headerTimeout = .milliseconds(50)
                $0.bodyTimeout = .milliseconds(50)
                $0.keepAliveTimeout = .milliseconds(50)
                $0.writeTimeout = .milliseconds(50)
            },
            handle: { _, responder in held.update { $0.append(responder) } }
        )
        let client = try server.client()
        client.send("/".get)
        #expect(client.staysSilent(for: .milliseconds(400)))
        held.value.first?.respond(Response(.ok, text: "late"))
        #expect(try client.readAnswer().body == "late")
    }

    @Test func aSlowReaderOfAWholeAnswerIsDropped() throws {
        let server = try TestServer(
            { $0.writeTimeout = .milliseconds(200) },
            handle: { $1.respond(Response(ResponseHead(.ok), body: [UInt8](repeating: 0x78, count: 16 << 20))) }
        )
        let client = try server.client(receiveBuffer: 4096)
        client.send("/".get)
        withExtendedLifetime(client) {
            #expect(eventually { server.server.connectionCount == 1 })
            #expect(eventually { server.server.connectionCount == 0 }, "nothing is read, so it must be dropped")
        }
    }

    @Test func aSlowReaderOfAStreamIsDroppedAtTheLimit() throws {
        let held = Box<[any Responder]>([])
        let server = try TestServer(
            { $0.unsentLimit = 100_000 },
            handle: { _, responder in
                responder.start(ResponseHead(.ok))
                held.update { $0.append(responder) }
            }
        )
        let client = try server.client(receiveBuffer: 4096)
        client.send("/".get)
        #expect(eventually { held.value.count == 1 })
        let responder = try #require(held.value.first)
        let cancelled = Box(0)
        responder.onCancel { cancelled.update { $0 += 1 } }
        var most = 0
        let isDropped = eventually {
            responder.write([UInt8](repeating: 0x78, count: 10_000))
            most = max(most, responder.unsentBytes)
            return responder.isCancelled
        }
        #expect(isDropped)
        #expect(most > 50_000, "the handler can see that the reader is slow")
        #expect(cancelled.value == 1)
        #expect(eventually { server.server.connectionCount == 0 })
    }

    /// The other half of backpressure: a reader that pauses and goes on gets every byte, and the count goes back to 0.
    @Test func aReaderThatPausesGetsEverything() throws {
        let held = Box<[any Responder]>([])
        let server = try TestServer(
            { $0.unsentLimit = 8 << 20 },
            handle: { _, responder in
                responder.start(ResponseHead(.ok))
                held.update { $0.append(responder) }
            }
        )
        let client = try server.client(receiveBuffer: 4096)
        client.send("/".get)
        #expect(eventually { held.value.count == 1 })
        let responder = try #require(held.value.first)
        let piece = String(repeating: "0123456789", count: 1000)
        for _ in 0..<300 { responder.write(Array(piece.utf8)) }
        responder.finish()
        #expect(eventually { responder.unsentBytes > 0 })
        usleep(100_000)
        let answer = try client.readAnswer()
        #expect(answer.chunks.count == 300)
        #expect(answer.chunks.allSatisfy { $0 == piece })
        #expect(eventually { responder.unsentBytes == 0 })
    }
}
