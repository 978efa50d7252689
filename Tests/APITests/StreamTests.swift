import Core
import HTTP1
import Testing

@testable import API

@Suite struct StreamTests {
    private func texts(_ responder: FakeResponder) -> [String?] {
        responder.chunks.map { $0["choices"][0]["text"].string }
    }

    /// Byte for byte, but for the id and the time.
    @Test func framing() throws {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"a","stream":true"#)
        #expect(responder.head == nil, "the head waits for admission")
        fixture.service.send(.admitted(chains: 2))
        let head = try #require(responder.head)
        #expect(head.status == .ok)
        #expect(head.headers["content-type"] == "text/event-stream; charset=utf-8")
        #expect(head.headers["cache-control"] == "no-cache")
        #expect(head.headers["x-accel-buffering"] == "no")
        #expect(head.headers["x-chains"] == "2")
        #expect(head.headers["x-chains-reason"] == "unconstrained")
        #expect(head.headers["x-request-id"] != nil)
        #expect(head.headers["openai-processing-ms"] != nil)
        #expect(responder.streamed.isEmpty, "no empty first chunk")
        fixture.service.send(.text("\"\n", chains: 2))
        fixture.service.send(.text("é", chains: 1) + .finished(.length))

        let id = try #require(head.headers["x-completion-id"])
        let created = try #require(responder.chunks[0]["created"].int)
        let start =
            #"data: {"id":"\#(id)","object":"text_completion","created":\#(created),"model":"catena","#
            + #""system_fingerprint":"b0123456789ab","choices":[{"index":0,"text":"#
        #expect(
            responder.streamed == start + #""\"","logprobs":null,"finish_reason":null,"chains":2}]}"# + "\n\n"
                + start + #""\n","logprobs":null,"finish_reason":null,"chains":2}]}"# + "\n\n"
                + start + #""é","logprobs":null,"finish_reason":"length","chains":1}]}"# + "\n\n"
                + "data: [DONE]\n\n"
        )
        #expect(responder.isFinished)
        #expect(responder.state.withLock { $0.writes.count } == 2, "the chunks of a step are one write")
        #expect(responder.mistakes.isEmpty)
        #expect(fixture.router.activeCompletions == 0)
    }

    @Test func theEndIsAChunkOfItsOwnWhenItComesLater() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"a","stream":true"#)
        fixture.service.send(.admitted() + .text("x"))
        fixture.service.send(.tokens([FakeCodec.endOfText]) + .finished(.stop))
        #expect(texts(responder) == ["x", ""])
        #expect(responder.chunks[0]["choices"][0]["finish_reason"].isNull)
        #expect(responder.chunks[1]["choices"][0]["finish_reason"].string == "stop")
        #expect(responder.events.last == "[DONE]")
    }

    @Test func usageOnlyWhenAsked() {
        for asked in [true, false] {
            let fixture = Fixture()
            let responder = fixture.complete(
                #""prompt":"Once upon","stream":true,"stream_options":{"include_usage":\#(asked)}"#
            )
            fixture.service.send(.admitted(cached: 1) + .text("ax") + .finished(.length))
            let chunks = responder.chunks
            #expect(chunks.count == (asked ? 3 : 2))
            #expect(chunks[0]["usage"].exists == asked)
            if asked {
                #expect(chunks[0]["usage"].isNull)
                #expect(chunks[2]["choices"].exists && chunks[2]["choices"].count == 0)
                #expect(chunks[2]["usage"]["prompt_tokens"].int == 2)
                #expect(chunks[2]["usage"]["completion_tokens"].int == 2)
                #expect(chunks[2]["usage"]["total_tokens"].int == 4)
                #expect(chunks[2]["usage"]["prompt_tokens_details"]["cached_tokens"].int == 1)
                #expect(chunks[2]["id"].string == chunks[0]["id"].string)
            }
            #expect(responder.events.last == "[DONE]")
        }
    }

    @Test func choicesOfSeveralPromptsInterleave() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":["a","b"],"n":2,"stream":true"#)
        fixture.service.send(.admitted() + .text("3"), to: 3)
        fixture.service.send(.admitted() + .text("0") + .finished(.length), to: 0)
        fixture.service.send(.admitted() + .text("2") + .finished(.length), to: 2)
        fixture.service.send(.admitted() + .finished(.length), to: 1)
        #expect(!responder.isFinished)
        fixture.service.send(.finished(.stop), to: 3)
        #expect(responder.chunks.map { $0["choices"][0]["index"].int } == [3, 0, 2, 1, 3])
        #expect(responder.events.filter { $0 == "[DONE]" }.count == 1)
        #expect(responder.isFinished)
    }

    @Test func refusalsBeforeAdmissionHaveAStatus() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"a","stream":true"#)
        fixture.service.send([.failed(.overloaded(retryAfter: 2))])
        #expect(responder.head == nil)
        #expect(responder.response?.head.status.code == 503)
        #expect(responder.response?.head.headers["content-type"] == "application/json")
        #expect(responder.json["error"]["code"].string == "server_is_overloaded")
    }

    @Test func failuresInTheMiddleAreEvents() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":["a","b"],"stream":true"#)
        fixture.service.send(.admitted() + .text("x"))
        fixture.service.send(.admitted() + .text("y") + [.failed(.shuttingDown)], to: 1)
        #expect(texts(responder) == ["x", "y", nil], "what came before the failure is not lost")
        #expect(responder.chunks[2]["error"]["code"].string == "shutting_down")
        #expect(responder.chunks[2]["error"].names == ["message", "type", "param", "code"])
        #expect(responder.streamed.hasSuffix("}}\n\ndata: [DONE]\n\n"))
        #expect(responder.isFinished)
        #expect(fixture.service.cancelled == [fixture.service.submitted[0].id])
        fixture.service.send(.text("late") + .finished(.length))
        #expect(responder.mistakes.isEmpty)
    }

    @Test func stopStringsNeverShow() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"a","stream":true,"stop":"\n\nQ:""#)
        fixture.service.send(.admitted())
        for piece in ["1", "\n", "\n", "2", "\n\n", "Q", ":", "3"] { fixture.service.send(.text(piece)) }
        #expect(texts(responder).compactMap(\.self) == ["1", "\n\n2", ""])
        #expect(responder.chunks.last?["choices"][0]["finish_reason"].string == "stop")
        #expect(fixture.service.cancelled.count == 1)
        #expect(responder.isFinished)
    }

    @Test func idleStreamsArePinged() {
        let fixture = Fixture()
        let start = ContinuousClock.now
        let waiting = fixture.complete(#""prompt":"a","stream":true"#)
        let whole = fixture.complete(#""prompt":"a""#)
        let streaming = fixture.complete(#""prompt":"a","stream":true"#)
        fixture.service.send(.admitted(), to: 1)
        fixture.service.send(.admitted() + .text("x"), to: 2)
        fixture.router.pingIdleStreams(at: start + .seconds(14))
        #expect(!streaming.streamed.contains("ping"))
        fixture.router.pingIdleStreams(at: start + .seconds(16))
        #expect(streaming.streamed.hasSuffix("}\n\n: ping\n\n"))
        fixture.router.pingIdleStreams(at: start + .seconds(17))
        #expect(streaming.streamed.components(separatedBy: ": ping").count == 2, "not again before its time")
        fixture.router.pingIdleStreams(at: start + .seconds(32))
        #expect(streaming.streamed.components(separatedBy: ": ping").count == 3)
        #expect(waiting.streamed.isEmpty && whole.streamed.isEmpty, "nothing may be written before the head")
        fixture.service.send(.finished(.length), to: 2)
        fixture.router.pingIdleStreams(at: start + .seconds(99))
        #expect(streaming.streamed.hasSuffix("[DONE]\n\n"))
        #expect(streaming.mistakes.isEmpty && waiting.mistakes.isEmpty && whole.mistakes.isEmpty)
    }
}
