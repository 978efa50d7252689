import Core
import Foundation
import HTTP1
import Testing

@testable import API

/// What the access log is told, and what it is not.
@Suite struct AccessLogTests {
    private func fixture(keys: String? = nil, prompts: Bool = false) throws -> (Fixture, FakeLog) {
        let log = FakeLog()
        var access = try keys.map { try AccessControl.keys($0) } ?? AccessControl()
        access.log = log
        access.logsPrompts = prompts
        return (Fixture(access: access), log)
    }

    @Test func aCompletion() throws {
        let (fixture, log) = try fixture(keys: "alice")
        let headers: HTTPHeaders = [
            "X-Api-Key": "alice-key", "X-Request-Id": "r-1",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ]
        let responder = fixture.complete(#""prompt":"Once","max_tokens":9,"session_id":"s","n":1"#, headers: headers)
        #expect(log.entries.isEmpty)
        fixture.service.send(
            .admitted(chains: 3, cached: 1, reason: .load, after: .nanoseconds(5)) + .text(" upon", chains: 3)
        )
        fixture.service.send(.text(" a", chains: 2) + .finished(.stop))
        let entry = try #require(log.entries.first)
        #expect(log.entries.count == 1)
        #expect(entry.requestID == "r-1" && entry.key == "alice" && entry.method == "POST" && entry.status == 200)
        #expect(entry.path == "/v1/completions" && entry.remote == "unix" && entry.code == nil)
        #expect(entry.traceID == "4bf92f3577b34da6a3ce929d0e0e4736" && entry.spanID?.utf8.count == 16)
        #expect(entry.bytesIn == #"{"prompt":"Once","max_tokens":9,"session_id":"s","n":1}"#.utf8.count)
        #expect(entry.bytesOut == responder.response?.body.count)
        let completion = try #require(entry.completion)
        #expect(completion.model == "catena" && completion.outcome == "completed")
        #expect(completion.promptTokens == 1 && completion.cachedTokens == 1 && completion.completionTokens == 2)
        #expect(completion.chainTokens == [0, 1, 1, 0] && completion.chains == 3 && completion.chainsReason == "load")
        #expect(completion.finishReasons == ["stop"])
        let (queue, first) = (try #require(completion.queueTime), try #require(completion.firstTokenTime))
        #expect(queue == .nanoseconds(5) && queue <= first && first <= entry.duration)
        #expect(completion.session == AccessEntry.hash(ofSession: "s") && completion.prompts.isEmpty)
    }

    @Test func theLineIsJSON() throws {
        let (fixture, log) = try fixture()
        _ = fixture.complete(#""prompt":"a","n":2,"stream":true"#)
        fixture.service.send(.admitted() + .text("b") + .finished(.length), to: 0)
        fixture.service.send(.admitted() + .text("b") + .finished(.deadline), to: 1)
        let json = JSON(Data(try #require(log.entries.first).json))
        let names: Set = [
            "time", "request_id", "trace_id", "span_id", "remote", "key", "method", "path", "status", "code",
            "bytes_in",
            "bytes_out", "duration_ms", "model", "outcome", "prompt_tokens", "cached_tokens", "completion_tokens",
            "chain_tokens", "chains", "chains_reason", "queue_ms", "ttft_ms", "finish_reasons", "session",
        ]
        #expect(json.names == names)
        #expect(json["trace_id"].isNull && json["key"].isNull && json["session"].isNull)
        #expect(json["finish_reasons"].list.map(\.string) == ["length", "deadline"])
        #expect(json["outcome"].string == "deadline")
        #expect(try #require(json["ttft_ms"].double) >= 0)
        let wanted = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/
        #expect(try #require(json["time"].string).wholeMatch(of: wanted) != nil)
        let plain = AccessEntry()
        #expect(!JSON(Data(plain.json)).names.contains("model"), "a probe is no completion")
        #expect(AccessEntry.text(ofTime: 1_764_000_000_005_999_999) == "2025-11-24T16:00:00.005Z")
    }

    /// Names that say more than a log should know stay out of it.
    @Test(arguments: [
        (HTTPMethod.get, "/v1/sessions/my%20name", "/v1/sessions/{id}", 404),
        (.delete, "/v1/requests/secret", "/v1/requests/{id}", 404), (.get, "/health", "/health", 200),
        (.post, "/v1/sessions/secret", "/v1/sessions/{id}", 405), (.get, "/none\"\n", "/none\"\n", 404),
        (.head, "/v1/models", "/v1/models", 200),
    ])
    func paths(method: HTTPMethod, path: String, logged: String, status: Int) throws {
        let (fixture, log) = try fixture()
        let answer = fixture.send(method, path, query: "token=secret")
        let entry = try #require(log.entries.first)
        #expect(log.entries.count == 1)
        #expect(entry.path == logged && entry.status == status && entry.method == method.name)
        #expect(entry.bytesOut == (method == .head ? 0 : answer.response?.body.count))
        #expect(!String(decoding: entry.json, as: UTF8.self).contains("secret"))
        #expect(!entry.json.contains(0x0A), "one line")
    }

    @Test func longPathsAreCut() throws {
        let (fixture, log) = try fixture()
        _ = fixture.send(.get, "/" + String(repeating: "x", count: 5000))
        #expect(log.entries.first?.path?.utf8.count == 256)
    }

    @Test func refusals() throws {
        let (fixture, log) = try fixture(keys: "alice requests_per_minute=1")
        _ = fixture.send(.get, "/v1/models", headers: ["X-Api-Key": "wrong-key"])
        _ = fixture.complete(#""prompt":7"#, headers: ["X-Api-Key": "alice-key"])
        _ = fixture.complete(#""prompt":"a""#, headers: ["X-Api-Key": "alice-key"])
        #expect(log.entries.map(\.status) == [401, 400, 429])
        #expect(log.entries.map(\.code) == ["invalid_api_key", nil, "rate_limit_exceeded"])
        #expect(log.entries.map(\.key) == [nil, "alice", "alice"])
        for entry in log.entries { #expect(!String(decoding: entry.json, as: UTF8.self).contains("-key\"")) }
    }

    @Test(arguments: [false, true])
    func aClientThatLeaves(stream: Bool) throws {
        let (fixture, log) = try fixture()
        do {
            let responder = fixture.complete(#""prompt":"a","stream":\#(stream)"#)
            fixture.service.send(.admitted() + .text("b"))
            responder.cancel()
            responder.state.withLock { $0.onCancel = nil }
        }
        // The engine lets go of what it no longer runs.
        fixture.service.state.withLock { $0.receivers = [] }
        let entry = try #require(log.entries.first)
        #expect(log.entries.count == 1)
        #expect(entry.status == (stream ? 200 : 499))
        #expect(entry.completion?.outcome == "disconnected" && entry.completion?.finishReasons == [nil])
        #expect((entry.bytesOut > 0) == stream)
    }

    /// The transport says 500 for the handler then.
    @Test func anAnswerThatIsForgotten() throws {
        let (fixture, log) = try fixture()
        let head = RequestHead(method: .get, target: RequestTarget(path: "/health"))
        for isGone in [false, true] {
            let responder = FakeResponder()
            let observed = fixture.router.visit(Request(head: head, body: [], peer: peer, arrival: 1)).observed(
                responder
            )
            if isGone { responder.cancel() }
            _ = consume observed
        }
        #expect(log.entries.map(\.status) == [500, 499])
    }

    private let peer = PeerAddress.ipv4(0x7F00_0001, port: 80)

    @Test func whatTheTransportRefuses() throws {
        let (fixture, log) = try fixture(keys: "alice")
        let head = RequestHead(
            method: .patch,
            target: RequestTarget(path: "/v1/requests/secret"),
            headers: ["X-Request-Id": "r-1", "X-Api-Key": "alice-key"]
        )
        let fault = Fault(.contentTooLarge, "the body is larger than 5 bytes", headers: ["Retry-After": "1"])
        let refused = RefusedRequest(head: head, isHeadComplete: true, peer: peer, arrival: 1, bodyBytes: 3)
        let answer = fixture.router.answer(to: fault, refusing: refused)
        #expect(answer.head.headers["x-request-id"] == "r-1" && answer.head.headers["retry-after"] == "1")
        let entry = try #require(log.entries.first)
        #expect(log.entries.count == 1)
        #expect(entry.requestID == "r-1" && entry.key == "alice" && entry.remote == "127.0.0.1:80")
        #expect(entry.method == "PATCH" && entry.path == "/v1/requests/{id}" && entry.status == 413)
        #expect(entry.bytesIn == 3 && entry.bytesOut == answer.body.count && entry.code == nil)
        #expect(entry.duration > .zero)
        #expect(JSON(Data(entry.json))["reason"].string == "the body is larger than 5 bytes")
    }

    @Test func whatTheTransportCannotRead() throws {
        let (fixture, log) = try fixture(keys: "alice")
        let refused = RefusedRequest(head: nil, isHeadComplete: false, peer: peer, arrival: 1)
        let answer = fixture.router.answer(to: Fault(.badRequest, "no request"), refusing: refused)
        let json = JSON(Data(try #require(log.entries.first).json))
        #expect(log.entries.count == 1)
        #expect(json["method"].isNull && json["path"].isNull && json["key"].isNull)
        #expect(json["status"].double == 400 && json["reason"].string == "no request")
        #expect(json["remote"].string == "127.0.0.1:80")
        let id = try #require(json["request_id"].string)
        #expect(id.hasPrefix("req-") && answer.head.headers["x-request-id"] == id)
    }

    /// Only where the operator asks for it.
    @Test func prompts() throws {
        for isWanted in [false, true] {
            let (fixture, log) = try fixture(prompts: isWanted)
            _ = fixture.complete(#""prompt":["Once é","b\n"],"n":2"#)
            for index in 0..<4 { fixture.service.send(.admitted() + .finished(.stop), to: index) }
            let json = JSON(Data(try #require(log.entries.first).json))
            #expect(json["prompts"].list.map(\.string) == (isWanted ? ["Once é", "b\n"] : []))
            #expect(String(decoding: log.entries[0].json, as: UTF8.self).contains("Once") == isWanted)
        }
    }
}
