import Core
import Foundation
import HTTP1
import Testing

@testable import API

@Suite struct LogprobsTests {
    private func row(_ id: TokenID, _ logprob: Float, top: [(TokenID, Float)]) -> TokenLogprobs {
        TokenLogprobs(
            chosen: .init(id: id, logprob: logprob),
            top: top.map { .init(id: $0.0, logprob: $0.1) }
        )
    }

    private func generated(_ id: TokenID, _ logprob: Float, top: [(TokenID, Float)]) -> GenerationEvent {
        .token(GeneratedToken(id: id, chains: 4, logprobs: row(id, logprob, top: top)))
    }

    /// What evaluation harnesses ask for: prompt + 1 rows, the first null, also when the answer is the end token.
    @Test(arguments: [false, true])
    func echoWithLogprobs(isStreaming: Bool) throws {
        let fixture = Fixture()
        let fields = #""prompt":[97,97,226],"echo":true,"logprobs":1,"max_tokens":1,"stream":\#(isStreaming)"#
        let responder = fixture.complete(fields)
        let request = try #require(fixture.service.submitted.first)
        #expect(request.promptLogprobs)
        #expect(request.logprobs == 1)
        let third: Float = -0.1234567
        fixture.service.send(.admitted())
        fixture.service.send([
            .promptLogprobs([nil, row(97, -2.5, top: [(98, -0.5)]), row(226, third, top: [(226, third)])])
        ])
        fixture.service.send([
            generated(FakeCodec.endOfText, -0.25, top: [(FakeCodec.endOfText, -0.25)]), .finished(.stop),
        ])

        let choices = isStreaming ? responder.chunks.map { $0["choices"][0] } : [responder.json["choices"][0]]
        func joined(_ name: String) -> [JSON] { choices.flatMap { $0["logprobs"][name].list } }
        #expect(choices.compactMap { $0["text"].string }.joined() == "aa\u{FFFD}")
        #expect(joined("tokens").map(\.string) == ["a", "a", "bytes:\\xe2", "<|endoftext|>"])
        let logprobs = joined("token_logprobs")
        #expect(logprobs.count == 4)
        #expect(logprobs[0].isNull)
        #expect(logprobs[1].double == -2.5)
        #expect(logprobs[2].double.map(Float.init) == third)
        let top = joined("top_logprobs")
        #expect(top.count == 4)
        #expect(top[0].isNull)
        #expect(top[1].names == ["a", "b"], "the token itself is always listed")
        #expect(top[1]["a"].double == -2.5)
        #expect(top[2]["bytes:\\xe2"].double == logprobs[2].double, "the same number, bit for bit")
        #expect(top[3].names == ["<|endoftext|>"])
        #expect(joined("text_offset").map(\.int) == [0, 1, 2, 3])
        #expect(choices.last?["finish_reason"].string == "stop")
    }

    @Test func echoWithoutAnswer() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"aé","echo":true,"logprobs":0,"max_tokens":0"#)
        fixture.service.send(.admitted() + [.promptLogprobs([nil, row(261, -1, top: [])])] + .finished(.length))
        let choice = responder.json["choices"][0]
        #expect(choice["text"].string == "aé")
        #expect(choice["logprobs"]["tokens"].list.map(\.string) == ["a", "é"])
        #expect(choice["logprobs"]["top_logprobs"][1].names == ["é"])
        #expect(choice["finish_reason"].string == "length")
        #expect(responder.json["usage"]["completion_tokens"].int == 0)
    }

    @Test(arguments: [false, true])
    func echoWithoutLogprobs(isStreaming: Bool) {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"Once","echo":true,"n":2,"stream":\#(isStreaming)"#)
        #expect(fixture.service.submitted.allSatisfy { !$0.promptLogprobs })
        for index in 0..<2 { fixture.service.send(.admitted() + .text(" time") + .finished(.length), to: index) }
        for index in 0..<2 {
            let choices = isStreaming ? responder.chunks.map { $0["choices"][0] } : responder.json["choices"].list
            let text = choices.filter { $0["index"].int == index }.compactMap { $0["text"].string }.joined()
            #expect(text == "Once time")
        }
    }

    @Test func logprobsWithoutTokensAreEmptyLists() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"a","logprobs":2,"max_tokens":0"#)
        fixture.service.send(.admitted() + .finished(.length))
        let logprobs = responder.json["choices"][0]["logprobs"]
        #expect(logprobs.names == ["tokens", "token_logprobs", "top_logprobs", "text_offset"])
        #expect(logprobs["tokens"].exists && logprobs["tokens"].count == 0)
    }

    /// JSON objects have unique names; two tokens may look the same, and a sampled one may be in no list.
    @Test func namesOfAlternativesAreUnique() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"a","logprobs":3"#)
        // 353 is beyond the vocabulary's names: it looks like "" as 354 does.
        fixture.service.send(.admitted() + [generated(98, -3, top: [(353, -0.5), (354, -1), (97, -2), (99, -2.5)])])
        fixture.service.send(.finished(.length))
        let top = responder.json["choices"][0]["logprobs"]["top_logprobs"][0]
        #expect(top.names == ["", "a", "b"])
        #expect(top[""].double == -0.5)
    }

    @Test func infinitiesAreNumbers() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"a","logprobs":1"#)
        fixture.service.send(.admitted() + [generated(98, -.infinity, top: [(97, -0.5)])] + .finished(.length))
        #expect(responder.json["choices"][0]["logprobs"]["token_logprobs"][0].double == -9999)
    }
}
