import Core
import HTTP1
import Testing

@testable import API

/// Completions without streaming, from the request to the last byte of the answer.
@Suite struct CompletionTests {
    @Test func answers() throws {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"Once","max_tokens":5,"model":"catena:3","seed":7"#)
        let request = try #require(fixture.service.submitted.first)
        #expect(request.prompt == FakeCodec().encode("Once"))
        #expect(request.maxTokens == 5)
        #expect(request.chains == .fixed(3))
        #expect(request.sampling == SamplingParameters(seed: 7))
        #expect(request.endTokens == [FakeCodec.endOfText])
        #expect(request.logprobs == nil && !request.promptLogprobs && request.sessionID == nil)

        fixture.service.send(.admitted(chains: 3, cached: 1, reason: .requested))
        fixture.service.send(.text(" upon a", chains: 3))
        #expect(responder.response == nil)
        fixture.service.send(.tokens([FakeCodec.endOfText], chains: 2) + .finished(.stop))

        let head = try #require(responder.response?.head)
        #expect(head.status == .ok)
        #expect(head.headers["content-type"] == "application/json")
        #expect(head.headers["x-chains"] == "3")
        #expect(head.headers["x-chains-reason"] == "requested")
        #expect(head.headers["openai-processing-ms"].flatMap { Int($0) } != nil)
        let json = responder.json
        #expect(
            json.names == ["id", "object", "created", "model", "system_fingerprint", "choices", "usage"]
        )
        let id = try #require(json["id"].string)
        #expect(id.hasPrefix("cmpl-") && id.utf8.count == 29)
        #expect(json["object"].string == "text_completion")
        #expect(json["model"].string == "catena:3")
        #expect(json["system_fingerprint"].string == "b0123456789ab")
        let choice = json["choices"][0]
        #expect(choice.names == ["index", "text", "logprobs", "finish_reason"])
        #expect(choice["index"].int == 0)
        #expect(choice["text"].string == " upon a")
        #expect(choice["logprobs"].isNull)
        #expect(choice["finish_reason"].string == "stop")
        let usage = json["usage"]
        #expect(usage["prompt_tokens"].int == 1)
        #expect(usage["completion_tokens"].int == 3)
        #expect(usage["total_tokens"].int == 4)
        #expect(usage["prompt_tokens_details"]["cached_tokens"].int == 1)
        #expect(usage["completion_tokens_details"]["chain_tokens"].list.map(\.int) == [0, 1, 2, 0])
        #expect(responder.mistakes.isEmpty)
        #expect(fixture.router.activeCompletions == 0)
        #expect(fixture.service.cancelled.isEmpty)
    }

    @Test func theShortestAnswerGoesToTheEngine() {
        let fixture = Fixture()
        _ = fixture.complete(#""prompt":"a","min_tokens":4,"stop_token_ids":[7],"n":2"#)
        #expect(fixture.service.submitted.map(\.minTokens) == [4, 4])
        #expect(fixture.service.submitted.map(\.endTokens) == [[FakeCodec.endOfText, 7], [FakeCodec.endOfText, 7]])
    }

    @Test func defaultChainsAreTheOperators() {
        var options = APIOptions()
        options.defaultChains = .range(2...3)
        let fixture = Fixture(options: options)
        _ = fixture.complete(#""prompt":"a""#)
        _ = fixture.complete(#""prompt":"a""#, headers: ["X-Chains": "1"])
        #expect(fixture.service.submitted.map(\.chains) == [.range(2...3), .fixed(1)])
    }

    @Test func choicesAreInTheOrderOfPromptsAndNumbers() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":["a","b"],"n":3,"seed":1,"session_id":null"#)
        let submitted = fixture.service.submitted
        #expect(submitted.map(\.prompt) == [[97], [97], [97], [98], [98], [98]])
        #expect(Set(submitted.map(\.id)).count == 6)
        #expect(Set(submitted[..<3].map(\.sampling.seed)).count == 3)
        #expect(submitted[..<3].map(\.sampling.seed) == submitted[3...].map(\.sampling.seed))
        // They end in another order.
        for index in [4, 0, 5, 2, 1, 3] {
            #expect(responder.response == nil)
            fixture.service.send(
                .admitted(cached: index % 3 == 0 ? 1 : 7) + .text("\(index)") + .finished(.length),
                to: index
            )
        }
        let json = responder.json
        #expect(json["choices"].list.map { $0["index"].int } == [0, 1, 2, 3, 4, 5])
        #expect(json["choices"].list.map { $0["text"].string } == ["0", "1", "2", "3", "4", "5"])
        #expect(json["usage"]["prompt_tokens"].int == 2, "a prompt counts once")
        #expect(json["usage"]["prompt_tokens_details"]["cached_tokens"].int == 2)
        #expect(json["usage"]["completion_tokens"].int == 6)
    }

    /// Two prompts without a seed are two draws, also when they are the same.
    @Test func promptsWithoutASeedHaveTheirOwn() {
        let fixture = Fixture()
        _ = fixture.complete(#""prompt":["a","a"]"#)
        #expect(Set(fixture.service.submitted.map(\.sampling.seed)).count == 2)
    }

    @Test func aStopStringEndsTheAnswerAndTheRequest() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"a","stop":["END"]"#)
        fixture.service.send(.admitted() + .text("one EN"))
        #expect(fixture.service.cancelled.isEmpty)
        fixture.service.send(.text("D two"))
        #expect(fixture.service.cancelled == fixture.service.submitted.map(\.id))
        #expect(responder.json["choices"][0]["text"].string == "one ")
        #expect(responder.json["choices"][0]["finish_reason"].string == "stop")
        #expect(responder.json["usage"]["completion_tokens"].int == 7)
        fixture.service.send(.text("late") + .finished(.length))
        #expect(responder.mistakes.isEmpty)
    }

    /// The engine has ended by itself in the same step: there is nothing to cancel.
    @Test func aStopStringInTheLastToken() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"a","stop":["b"]"#)
        fixture.service.send(.admitted() + .text("xb") + .finished(.length))
        #expect(responder.json["choices"][0]["finish_reason"].string == "stop")
        #expect(fixture.service.cancelled.isEmpty)
    }

    @Test(
        arguments: [
            (.overloaded(retryAfter: 3.5), 503, "server_is_overloaded", "4"),
            (.shuttingDown, 503, "shutting_down", "5"),
            (.tooLarge(neededTokens: 100, poolTokens: 50), 400, "context_length_exceeded", nil),
        ] as [(GenerationFailure, Int, String, String?)]
    )
    func failures(failure: GenerationFailure, status: Int, code: String, retryAfter: String?) {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":["a","b"]"#)
        fixture.service.send([.failed(failure)], to: 1)
        #expect(responder.response?.head.status.code == status)
        #expect(responder.json["error"]["code"].string == code)
        #expect(responder.response?.head.headers["retry-after"] == retryAfter)
        #expect(fixture.service.cancelled == [fixture.service.submitted[0].id], "its siblings are taken back")
        fixture.service.send(.admitted() + .finished(.length), to: 0)
        #expect(responder.mistakes.isEmpty)
        #expect(fixture.router.activeCompletions == 0)
    }

    /// An engine that refuses from within `submit`.
    @Test func failuresDuringSubmission() {
        let service = FakeService { request in
            request.prompt == [98] ? [.failed(.overloaded(retryAfter: 1))] : []
        }
        let fixture = Fixture(service: service)
        let responder = fixture.complete(#""prompt":["a","b","c"]"#)
        #expect(responder.response?.head.status.code == 503)
        #expect(service.submitted.map(\.prompt) == [[97], [98]], "the rest is not submitted")
        #expect(service.cancelled.contains(service.submitted[0].id))
    }

    @Test(arguments: [true, false])
    func aClientThatLeaves(isStreaming: Bool) {
        for admitted in [true, false] {
            let fixture = Fixture()
            let responder = fixture.complete(#""prompt":["a","b"],"n":2,"stream":\#(isStreaming)"#)
            if admitted { fixture.service.send(.admitted() + .text("x")) }
            fixture.service.send(.admitted() + .finished(.length), to: 2)
            responder.cancel()
            let ids = fixture.service.submitted.map(\.id)
            #expect(fixture.service.cancelled == [ids[0], ids[1], ids[3]], "the one that has ended is left alone")
            for index in 0..<4 { fixture.service.send(.admitted() + .text("late") + .finished(.length), to: index) }
            #expect(responder.response == nil)
            #expect(responder.mistakes.isEmpty)
            #expect(fixture.router.activeCompletions == 0)
        }
    }

    @Test func aClientThatLeftBeforeItsRequestWasDecoded() {
        let fixture = Fixture()
        let responder = FakeResponder()
        responder.cancel()
        _ = fixture.complete(#""prompt":"a""#, to: responder)
        #expect(fixture.service.submitted.isEmpty)
        #expect(responder.response == nil)
    }

    @Test func errorsOfARequestCarryItsHeaders() {
        let responder = Fixture().complete(#""prompt":7"#, headers: ["X-Request-Id": "r1"])
        #expect(responder.response?.head.status == .badRequest)
        #expect(responder.response?.head.headers["x-request-id"] == "r1")
        #expect(responder.response?.head.headers["openai-processing-ms"] != nil)
        #expect(responder.response?.head.headers["x-chains"] == nil)
        #expect(responder.json["error"]["param"].string == "prompt")
    }

    @Test func promptsThatDoNotFit() {
        let fixture = Fixture()
        let fits = fixture.complete(#""prompt":"\#(String(repeating: "q", count: 63))","max_tokens":1"#)
        #expect(fits.response == nil)
        let long = fixture.complete(#""prompt":"\#(String(repeating: "q", count: 60))","max_tokens":5"#)
        #expect(long.response?.head.status == .badRequest)
        #expect(long.json["error"]["code"].string == "context_length_exceeded")
        // 64 tokens of at most 16 bytes: refused by its bytes, before it is tokenised.
        let hopeless = fixture.complete(#""prompt":"\#(String(repeating: "a", count: 1025))""#)
        #expect(hopeless.json["error"]["code"].string == "context_length_exceeded")
        #expect(hopeless.json["error"]["message"].string?.contains("at most 1024 bytes") == true)
        #expect(
            long.json["error"]["message"].string
                == "The model's context is 64 tokens; the prompt has 60 and 'max_tokens' is 5. "
                + "Shorten the prompt or lower 'max_tokens'."
        )
        #expect(long.json["error"]["param"].string == "max_tokens")
        let huge = fixture.complete(
            #""prompt":"\#(String(repeating: "q", count: 65))","max_tokens":9223372036854775807"#
        )
        #expect(huge.json["error"]["code"].string == "context_length_exceeded")
        #expect(huge.json["error"]["param"].string == "prompt")
        #expect(fixture.service.submitted.count == 1)
    }

    @Test func emptyPrompts() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"","echo":true"#)
        #expect(fixture.service.submitted.first?.prompt == [FakeCodec.endOfText])
        fixture.service.send(.admitted() + .text("a") + .finished(.length))
        #expect(responder.json["choices"][0]["text"].string == "a")
        var model = ServedModel.fake
        model.emptyPromptToken = nil
        let refused = Fixture(model: model).complete(#""prompt":"""#)
        #expect(refused.response?.head.status == .badRequest)
        #expect(refused.json["error"]["param"].string == "prompt")
    }

    @Test func endTokens() {
        let fixture = Fixture()
        _ = fixture.complete(#""prompt":"a","stop_token_ids":[5]"#)
        _ = fixture.complete(#""prompt":"a","ignore_eos":true"#)
        _ = fixture.complete(#""prompt":"a","ignore_eos":true,"stop_token_ids":[5,6]"#)
        #expect(fixture.service.submitted.map(\.endTokens) == [[FakeCodec.endOfText, 5], [], [5, 6]])
    }

    @Test func sessionsContinue() {
        let fixture = Fixture()
        fixture.service.state.withLock { $0.sessions["s"] = [97, 98] }
        _ = fixture.complete(#""prompt":"ab!","session_id":"s""#)
        _ = fixture.complete(#""prompt":"ab!""#, headers: ["X-Session-Id": "s"])
        _ = fixture.complete(#""prompt":"ab!","session_id":"t""#)
        _ = fixture.complete(#""prompt":[1,2],"session_id":"s""#)
        let submitted = fixture.service.submitted
        let plain = FakeCodec().encode("ab!")
        #expect(submitted.map(\.prompt) == [[97, 98, 33], [97, 98, 33], plain, [1, 2]])
        #expect(submitted.map(\.sessionID) == ["s", "s", "t", "s"])
        let refused = fixture.complete(#""prompt":"a","session_id":"s""#, headers: ["X-Session-Id": "t"])
        #expect(refused.response?.head.status == .badRequest)
    }
}
