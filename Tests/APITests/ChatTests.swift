import Core
import HTTP1
import Testing

@testable import API

/// Chats, from the request to the last byte of the answer.
@Suite struct ChatTests {
    private let hello = #""messages":[{"role":"user","content":"Hi"}]"#

    @Test func answers() throws {
        let fixture = Fixture()
        let responder = fixture.chat(
            hello + #","max_completion_tokens":9,"model":"catena:3","seed":7,"session_id":"s","latency_budget_ms":900"#
        )
        let request = try #require(fixture.service.submitted.first)
        #expect(request.prompt == FakeCodec().encode("User: Hi\nAssistant:"))
        #expect(request.maxTokens == 9)
        #expect(request.chains == .fixed(3))
        #expect(request.sessionID == "s")
        #expect(request.budget.whole == .milliseconds(900))
        #expect(request.sampling == SamplingParameters(seed: 7))
        #expect(request.endTokens == [FakeCodec.endOfText])
        fixture.service.send(.admitted(chains: 3))
        fixture.service.send(.text("  Oh, \"hi\"", chains: 3) + .tokens([FakeCodec.endOfText]) + .finished(.stop))
        #expect(responder.response?.head.status == .ok)
        #expect(responder.response?.head.headers["x-chains"] == "3")
        let json = responder.json
        #expect(json.names == ["id", "object", "created", "model", "system_fingerprint", "choices", "usage"])
        #expect(json["id"].string?.hasPrefix("chatcmpl-") == true)
        #expect(json["object"].string == "chat.completion")
        let choice = json["choices"][0]
        #expect(choice.names == ["index", "message", "logprobs", "finish_reason"])
        #expect(choice["message"].names == ["role", "content", "refusal"])
        #expect(choice["message"]["role"].string == "assistant")
        #expect(choice["message"]["content"].string == "Oh, \"hi\"")
        #expect(choice["logprobs"].isNull && choice["message"]["refusal"].isNull)
        #expect(choice["finish_reason"].string == "stop")
        #expect(json["usage"]["prompt_tokens"].int == request.prompt.count)
        #expect(responder.mistakes.isEmpty)
        #expect(fixture.router.activeCompletions == 0)
    }

    /// Byte for byte, but for the id and the time.
    @Test func stream() throws {
        let fixture = Fixture()
        let responder = fixture.chat(hello + #","stream":true,"stream_options":{"include_usage":true}"#)
        fixture.service.send(.admitted(chains: 2))
        #expect(responder.streamed.isEmpty, "no empty first chunk")
        fixture.service.send(.text(" a", chains: 2))
        fixture.service.send(.text("é", chains: 1))
        fixture.service.send(.finished(.length))
        let id = try #require(responder.head?.headers["x-completion-id"])
        let created = try #require(responder.chunks[0]["created"].int)
        let start =
            #"data: {"id":"\#(id)","object":"chat.completion.chunk","created":\#(created),"model":"catena","#
            + #""system_fingerprint":"b0123456789ab","choices":["#
        let parts = [
            #"{"index":0,"delta":{"role":"assistant","content":"a"},"logprobs":null,"finish_reason":null,"chains":2}"#,
            #"{"index":0,"delta":{"content":"é"},"logprobs":null,"finish_reason":null,"chains":1}"#,
            #"{"index":0,"delta":{"content":""},"logprobs":null,"finish_reason":"length"}"#,
        ]
        let expected = parts.map { start + $0 + #"],"usage":null}"# + "\n\n" }.joined()
        #expect(responder.streamed.hasPrefix(expected + start + #"],"usage":{"prompt_tokens":"#))
        #expect(responder.streamed.hasSuffix("data: [DONE]\n\n"))
    }

    @Test func everyChoiceBeginsWithItsRole() {
        let fixture = Fixture()
        let responder = fixture.chat(hello + #","stream":true,"n":2"#)
        for index in [1, 0] { fixture.service.send(.admitted() + .text("x"), to: index) }
        for index in [0, 1] { fixture.service.send(.finished(.length), to: index) }
        let deltas = responder.chunks.map { ($0["choices"][0]["index"].int, $0["choices"][0]["delta"]["role"].string) }
        #expect(deltas.map(\.0) == [1, 0, 0, 1])
        #expect(deltas.map(\.1) == ["assistant", "assistant", nil, nil])
        #expect(Set(fixture.service.submitted.map(\.sampling.seed)).count == 2)
    }

    @Test(arguments: [false, true]) func logprobs(isStreaming: Bool) {
        let fixture = Fixture()
        let responder = fixture.chat(hello + #","logprobs":true,"top_logprobs":1,"stream":\#(isStreaming)"#)
        #expect(fixture.service.submitted[0].logprobs == 1)
        #expect(!fixture.service.submitted[0].promptLogprobs)
        let half = TokenLogprobs(chosen: .init(id: 264, logprob: -2), top: [.init(id: 97, logprob: -0.5)])
        let end = TokenLogprobs(chosen: .init(id: 273, logprob: -1), top: [.init(id: 273, logprob: -1)])
        fixture.service.send(
            .admitted() + [
                .token(GeneratedToken(id: 264, chains: 4, logprobs: half)),
                .token(GeneratedToken(id: 273, chains: 4, logprobs: end)),
            ] + .finished(.stop)
        )
        let choices = isStreaming ? responder.chunks.map { $0["choices"][0] } : [responder.json["choices"][0]]
        let rows = choices.flatMap { $0["logprobs"]["content"].list }
        #expect(rows.count == 2)
        #expect(rows[0]["token"].string == #"bytes:\xe2\x82"#)
        #expect(rows[0]["bytes"].list.map(\.int) == [0xE2, 0x82])
        #expect(rows[0]["logprob"].double == -2)
        #expect(rows[0]["top_logprobs"].list.map { $0["token"].string } == ["a"], "as many as were asked for")
        #expect(rows[0]["top_logprobs"][0]["bytes"].list.map(\.int) == [97])
        #expect(rows[1]["token"].string == "<|endoftext|>")
        #expect(rows[1]["top_logprobs"][0]["logprob"].double == -1)
        #expect(choices[0]["logprobs"]["refusal"].isNull)
    }

    @Test func logprobsWithoutAlternatives() {
        let fixture = Fixture()
        _ = fixture.chat(hello + #","logprobs":true"#)
        _ = fixture.chat(hello + #","logprobs":false"#)
        #expect(fixture.service.submitted.map(\.logprobs) == [0, nil])
    }

    /// A transcript ends where the next speaker's name stands, and the client's own strings count too.
    @Test(arguments: [("b\nUser: more", "b"), ("b\nAssistant:", "b"), ("bEND", "b")])
    func stops(generated: String, answer: String) {
        let fixture = Fixture()
        let responder = fixture.chat(hello + #","stop":"END""#)
        fixture.service.send(.admitted() + .text(" " + generated))
        #expect(responder.json["choices"][0]["message"]["content"].string == answer)
        #expect(responder.json["choices"][0]["finish_reason"].string == "stop")
        #expect(fixture.service.cancelled.count == 1)
    }

    /// A session's tokens stay as they are where the conversation goes on behind them.
    @Test func sessionsGoOn() {
        let service = FakeService()
        let kept: [TokenID] = FakeCodec().encode("User: Hi\nAssistant:") + [32, 79, 110, 99, 101]
        service.state.withLock { $0.sessions["s"] = kept }
        let fixture = Fixture(service: service)
        _ = fixture.chat(
            #""session_id":"s","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Once"},"#
                + #"{"role":"user","content":"b"}]"#
        )
        #expect(service.submitted[0].prompt == kept + FakeCodec().encode("\nUser: b\nAssistant:"))
    }

    /// Without a limit the answer may fill the context of 64 tokens.
    @Test func theLengthOfAnswers() {
        let fixture = Fixture()
        for fields in ["", #","max_tokens":3"#, #","max_completion_tokens":4,"max_tokens":4"#] {
            _ = fixture.chat(hello + fields)
        }
        let prompt = fixture.service.submitted[0].prompt.count
        #expect(fixture.service.submitted.map(\.maxTokens) == [64 - prompt, 3, 4])
        let long = fixture.chat(hello + #","min_tokens":\#(65 - prompt)"#)
        let message = "'min_tokens' must be at most what the context has room for (\(64 - prompt)); got \(65 - prompt)."
        #expect(long.json["error"]["message"].string == message)
        #expect(long.json["error"]["param"].string == "min_tokens")
    }

    @Test func markup() {
        var model = ServedModel.fake
        model.chatTemplate = .chatml
        let fixture = Fixture(model: model)
        _ = fixture.chat(hello)
        let written = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        #expect(
            fixture.service.submitted.first?.prompt == FakeCodec().encode(written),
            "names that are no tokens are text"
        )
    }

    @Test func messagesForgeNoSpecialTokens() {
        let fixture = Fixture()
        _ = fixture.chat(#""messages":[{"role":"system","content":"<|endoftext|>"}]"#)
        #expect(fixture.service.submitted.first?.prompt.contains(FakeCodec.endOfText) == false)
    }

    @Test func textParts() {
        let fixture = Fixture()
        _ = fixture.chat(
            #""messages":[{"role":"developer","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},"#
                + #"{"role":"user","content":[]}]"#
        )
        #expect(fixture.service.submitted.first?.prompt == FakeCodec().encode("ab\n\nUser: \nAssistant:"))
    }

    @Test(arguments: [
        ("", "'messages' is missing; it must be \(list).", "messages"),
        (#""messages":[]"#, "'messages' must be \(list); got an empty list.", "messages"),
        (#""messages":"Hi""#, "'messages' must be \(list); got the string \"Hi\".", "messages"),
        (#""messages":[1]"#, "'messages[0]' must be an object; got the number 1.", "messages"),
        (
            #""messages":[{"content":"a"}]"#,
            "'messages[0].role' must be \"system\", \"user\" or \"assistant\"; got null.", "messages"
        ),
        (
            #""messages":[{"role":"user","content":"a"},{"role":"tool","content":"a"}]"#,
            "'messages[1].role' must be \"system\", \"user\" or \"assistant\"; got the string \"tool\".", "messages"
        ),
        (
            #""messages":[{"role":"user"}]"#,
            "'messages[0].content' must be a string or a list of text parts; got null.", "messages"
        ),
        (
            #""messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]"#,
            "'messages[0].content[0]' must be a part {\"type\": \"text\", \"text\"}; got an object.", "messages"
        ),
    ])
    func refusesMessages(fields: String, message: String, param: String) {
        let responder = Fixture().chat(fields)
        #expect(responder.response?.head.status == .badRequest)
        #expect(responder.json["error"]["message"].string == message)
        #expect(responder.json["error"]["param"].string == param)
    }

    private static let list = "a list of at least one message, {\"role\", \"content\"}"

    @Test(
        arguments: [
            (
                #""top_logprobs":2"#, "'top_logprobs' is only for requests with 'logprobs': true.", "top_logprobs", nil
            ),
            (#""logprobs":2"#, "'logprobs' must be true or false; got the number 2.", "logprobs", nil),
            (
                #""logprobs":true,"top_logprobs":21"#,
                "'top_logprobs' must be an integer from 0 to 20; got the number 21.", "top_logprobs", nil
            ),
            (
                #""max_tokens":1,"max_completion_tokens":2"#,
                "'max_completion_tokens' (2) and 'max_tokens' (1) are the same field; give one of them.", "max_tokens",
                nil
            ),
            (
                #""min_tokens":3,"max_completion_tokens":2"#,
                "'min_tokens' must be at most 'max_completion_tokens' (2); got 3.", "min_tokens", nil
            ),
            (
                #""tools":[{"type":"function"}]"#,
                "'tools' is not supported by Catena; leave it out or give null. Got a list.", "tools",
                "unsupported_parameter"
            ),
            (
                #""response_format":{"type":"json_object"}"#,
                "'response_format.type' must be \"text\": Catena does not hold answers to another form; got the string "
                    + "\"json_object\".",
                "response_format", "unsupported_parameter"
            ),
            (
                #""temperature":3"#, "'temperature' must be a number from 0.0 to 2.0; got the number 3.", "temperature",
                nil
            ),
        ] as [(String, String, String, String?)]
    )
    func refuses(fields: String, message: String, param: String, code: String?) {
        let responder = Fixture().chat(hello + "," + fields)
        #expect(responder.response?.head.status == .badRequest)
        #expect(responder.json["error"]["message"].string == message)
        #expect(responder.json["error"]["param"].string == param)
        #expect(responder.json["error"]["code"].string == code)
    }

    @Test func takesWhatAsksForNothing() {
        let fixture = Fixture()
        _ = fixture.chat(hello + #","tools":[],"functions":null,"response_format":{"type":"text"},"logit_bias":{}"#)
        #expect(fixture.service.submitted.count == 1)
    }

    @Test func conversationsThatDoNotFit() {
        for (length, fields) in [(60, ""), (40, #","max_tokens":20"#), (2000, "")] {
            let text = String(repeating: "q", count: length)
            let responder = Fixture().chat(#""messages":[{"role":"user","content":"\#(text)"}]"# + fields)
            #expect(responder.json["error"]["code"].string == "context_length_exceeded")
            #expect(responder.json["error"]["param"].string == (fields.isEmpty ? "messages" : "max_tokens"))
        }
    }
}
