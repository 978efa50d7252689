import Core
import HTTP1
import Testing

@testable import API

/// `PATCH` and `DELETE /v1/requests/{id}`.
@Suite struct RequestControlTests {
    private let running = RequestStatus(phase: .decode, chains: 2, promptTokens: 7, generatedTokens: 3)

    @Test func changesARunningRequest() throws {
        let fixture = Fixture()
        let stream = fixture.complete(#""prompt":"a","stream":true"#)
        fixture.service.send(.admitted())
        let id = try #require(stream.head?.headers["x-completion-id"])
        let answer = fixture.patch(id, #""chains":2,"latency_budget_ms":50"#)
        #expect(answer.response == nil, "it waits for the engine's answer")
        let change = fixture.service.changes[0]
        #expect(change.id == fixture.service.submitted[0].id)
        #expect(change.change.chains == .fixed(2))
        #expect(change.change.budget == LatencyBudget(whole: .milliseconds(50)))
        #expect(change.change.received <= .now && change.change.received >= .now - .seconds(60))
        fixture.service.reply(running)
        #expect(answer.response?.head.status == .ok)
        let body =
            #"{"id":"\#(id)","object":"request","status":"decode","chains":2,"prompt_tokens":7,"generated_tokens":3}"#
        #expect(answer.response.map { String(decoding: $0.body, as: UTF8.self) } == body)
        fixture.service.send(.text("a", chains: 2) + .finished(.length))
        #expect(stream.isFinished && stream.mistakes.isEmpty)
    }

    struct Change: Sendable, CustomTestStringConvertible {
        var fields: String
        var headers: HTTPHeaders = [:]
        var chains: ChainSelection?
        var budget: LatencyBudget?
        var testDescription: String { "\(Array(headers)) {\(fields)}" }
    }

    @Test(arguments: [
        Change(fields: #""chains":"1-3""#, chains: .range(1...3)),
        Change(fields: #""chains":"auto","unknown":1"#, chains: .auto),
        Change(fields: #""chains":null,"slo":{"tpot_ms":5}"#, budget: LatencyBudget(perToken: .milliseconds(5))),
        Change(fields: #""latency_budget_ms":null"#, budget: LatencyBudget.none),
        Change(fields: #""slo":null"#, budget: LatencyBudget.none),
        Change(
            fields: #""slo":null,"latency_budget_ms":9,"best_effort":true"#,
            budget: LatencyBudget(whole: .milliseconds(9), isBestEffort: true)
        ),
        Change(fields: "", headers: ["X-Chains": "4"], chains: .fixed(4)),
        Change(fields: "", headers: ["X-SLO-TTFT-Ms": "4"], budget: LatencyBudget(firstToken: .milliseconds(4))),
    ])
    func readsChanges(row: Change) {
        let fixture = Fixture()
        _ = fixture.complete(#""prompt":"a""#, headers: ["X-Request-Id": "mine"])
        _ = fixture.patch("mine", row.fields, headers: row.headers)
        #expect(fixture.service.changes.map(\.change.chains) == [row.chains])
        #expect(fixture.service.changes.map(\.change.budget) == [row.budget])
    }

    @Test(
        arguments: [
            ("", "There is nothing to change; give 'chains', 'latency_budget_ms' or 'slo'.", nil),
            (#""chains":null"#, "There is nothing to change; give 'chains', 'latency_budget_ms' or 'slo'.", nil),
            (#""max_tokens":5"#, "There is nothing to change; give 'chains', 'latency_budget_ms' or 'slo'.", nil),
            (
                #""best_effort":true"#,
                "'best_effort' belongs to limits; give 'latency_budget_ms' or 'slo' with it.", "best_effort"
            ),
            (#""chains":5"#, "'chains' asks for 5 chains; this model has 1 to 4.", "chains"),
            (#""slo":7"#, "'slo' must be an object; got the number 7.", "slo"),
            (
                #""latency_budget_ms":0"#,
                "'latency_budget_ms' must be a number of milliseconds from 1 to 86400000 (a day); got the number 0.",
                "latency_budget_ms"
            ),
        ] as [(String, String, String?)]
    )
    func refusesChanges(fields: String, message: String, param: String?) {
        let fixture = Fixture()
        _ = fixture.complete(#""prompt":"a""#, headers: ["X-Request-Id": "mine"])
        let answer = fixture.patch("mine", fields)
        #expect(answer.response?.head.status == .badRequest)
        #expect(answer.json["error"]["message"].string == message)
        #expect(answer.json["error"]["param"].string == param)
        #expect(fixture.service.changes.isEmpty)
    }

    @Test func changesNeedAContentTypeAndAModel() {
        let fixture = Fixture()
        let answer = fixture.send(.patch, "/v1/requests/x", body: #"{"chains":1}"#)
        #expect(answer.response?.head.status == .unsupportedMediaType)
        let loading = Fixture(model: nil).patch("x", #""chains":1"#)
        #expect(loading.json["error"]["code"].string == "loading")
    }

    @Test func changesEveryChoiceThatStillRuns() {
        let fixture = Fixture()
        _ = fixture.complete(#""prompt":["a","b"],"n":2,"stop":"z""#, headers: ["X-Request-Id": "mine"])
        let ids = fixture.service.submitted.map(\.id)
        fixture.service.send(.admitted() + .finished(.length), to: 1)
        fixture.service.send(.admitted() + .text("z"), to: 3)
        let answer = fixture.patch("mine", #""chains":1"#)
        #expect(fixture.service.changes.map(\.id) == [ids[0], ids[2]])
        fixture.service.reply(RequestStatus(phase: .queued, chains: 1, promptTokens: 1, generatedTokens: 0), to: 1)
        #expect(answer.response == nil)
        fixture.service.reply(running, to: 0)
        #expect(answer.json["id"].string?.hasPrefix("cmpl-") == true)
        #expect(answer.json.names == ["id", "object", "choices"])
        let choices = answer.json["choices"]
        #expect(choices.list.map { $0["index"].int } == [0, 2])
        #expect(choices.list.map { $0["status"].string } == ["decode", "queued"])
        #expect(choices[0].names == ["index", "status", "chains", "prompt_tokens", "generated_tokens"])
    }

    /// A request may end while its change is on the way to the engine.
    @Test func aRequestThatEndsMeanwhileIsNotFound() {
        let fixture = Fixture()
        _ = fixture.complete(#""prompt":"a","n":2"#, headers: ["X-Request-Id": "mine"])
        let half = fixture.patch("mine", #""chains":1"#)
        fixture.service.reply(nil, to: 0)
        fixture.service.reply(running, to: 1)
        #expect(half.json["choices"].list.map { $0["index"].int } == [1], "a list, whatever is left of it")
        let gone = fixture.patch("mine", #""chains":1"#)
        fixture.service.reply(nil, to: 2)
        fixture.service.reply(nil, to: 3)
        #expect(gone.response?.head.status == .notFound)
        #expect(gone.json["error"]["code"].string == "request_not_found")
    }

    @Test func unknownAndFinishedRequests() throws {
        let fixture = Fixture()
        let own = fixture.complete(#""prompt":"a""#, headers: ["X-Request-Id": "mine"])
        fixture.service.send(.admitted() + .finished(.length))
        let id = try #require(own.response?.head.headers["x-completion-id"])
        for name in [id, "mine", "cmpl-none", "a%2Fb"] {
            for answer in [fixture.patch(name, #""chains":1"#), fixture.send(.delete, "/v1/requests/" + name)] {
                #expect(answer.response?.head.status == .notFound)
                #expect(answer.json["error"]["code"].string == "request_not_found")
            }
        }
        #expect(fixture.service.changes.isEmpty && fixture.service.cancelled.isEmpty)
    }

    @Test func cancelsAStream() throws {
        let fixture = Fixture()
        let stream = fixture.complete(#""prompt":["a","b"],"stream":true"#)
        fixture.service.send(.admitted() + .text("x"))
        fixture.service.send(.admitted() + .finished(.length), to: 1)
        let id = try #require(stream.head?.headers["x-completion-id"])
        let answer = fixture.send(.delete, "/v1/requests/" + id)
        #expect(answer.response?.head.status == .ok)
        let body = #"{"id":"\#(id)","object":"request","deleted":true}"#
        #expect(answer.response.map { String(decoding: $0.body, as: UTF8.self) } == body)
        #expect(fixture.service.cancelled == [fixture.service.submitted[0].id], "the one that has ended is left alone")
        #expect(stream.chunks.last?["error"]["code"].string == "request_cancelled")
        #expect(stream.events.last == "[DONE]" && stream.isFinished)
        #expect(fixture.router.activeCompletions == 0)
        #expect(fixture.send(.delete, "/v1/requests/" + id).response?.head.status == .notFound)
        fixture.service.send(.text("late") + .finished(.length))
        #expect(stream.mistakes.isEmpty)
    }

    /// Queued or without streaming: 499, which no client library tries again.
    @Test(arguments: [false, true], [false, true])
    func cancelsWhatHasNotBegunToAnswer(isStreaming: Bool, isDraining: Bool) {
        let fixture = Fixture()
        let own = fixture.complete(#""prompt":"a","stream":\#(isStreaming)"#, headers: ["X-Request-Id": "mine"])
        if !isStreaming { fixture.service.send(.admitted() + .text("x")) }
        if isDraining { fixture.state.drain() }
        #expect(fixture.send(.delete, "/v1/requests/mine").response?.head.status == .ok)
        #expect(own.response?.head.status.code == 499)
        #expect(own.response?.head.headers["x-should-retry"] == "false")
        #expect(own.json["error"]["code"].string == "request_cancelled")
        #expect(fixture.service.cancelled == fixture.service.submitted.map(\.id))
        #expect(own.mistakes.isEmpty)
    }

    @Test func findsRequestsByTheClientsOwnID() {
        let fixture = Fixture()
        _ = fixture.complete(#""prompt":"a""#, headers: ["X-Request-Id": "a/b%"])
        let answer = fixture.patch("a%2Fb%25", #""chains":1"#)
        fixture.service.reply(running)
        #expect(answer.json["id"].string?.hasPrefix("cmpl-") == true)
        _ = fixture.complete(#""prompt":"b""#, headers: ["X-Request-Id": "a/b%"])
        for refused in [fixture.patch("a/b%25", #""chains":1"#), fixture.send(.delete, "/v1/requests/a/b%25")] {
            #expect(refused.response?.head.status.code == 409)
            #expect(refused.json["error"]["code"].string == "request_ambiguous")
            #expect(refused.response?.head.headers["x-should-retry"] == "false")
        }
        // When one of them has ended, the other is meant.
        fixture.service.send(.admitted() + .finished(.length))
        _ = fixture.send(.delete, "/v1/requests/a/b%25")
        #expect(fixture.service.cancelled == [fixture.service.submitted[1].id])
    }

    /// Somebody who sends another's completion id as its own request id neither hides it nor gets hold of it.
    @Test func completionIDsComeBeforeRequestIDs() throws {
        let fixture = Fixture()
        let stream = fixture.complete(#""prompt":"a","stream":true"#)
        fixture.service.send(.admitted())
        let id = try #require(stream.head?.headers["x-completion-id"])
        _ = fixture.complete(#""prompt":"b""#, headers: ["X-Request-Id": id])
        _ = fixture.send(.delete, "/v1/requests/" + id)
        #expect(fixture.service.cancelled == [fixture.service.submitted[0].id])
    }

    @Test func everyAnswerOfTheModelNamesItsCompletion() {
        let fixture = Fixture()
        let whole = fixture.complete(#""prompt":"a""#)
        fixture.service.send(.admitted() + .finished(.length))
        #expect(whole.response?.head.headers["x-completion-id"] == whole.json["id"].string)
        let refused = fixture.complete(#""prompt":1"#)
        #expect(refused.response?.head.headers["x-completion-id"] == nil)
    }
}
