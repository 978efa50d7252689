import Core
import Testing

@testable import API

/// `best_of`: more answers are generated than given, and the likeliest are given.
@Suite struct BestOfTests {
    /// Tokens with log probabilities of their own.
    private func tokens(_ rows: [(text: String, logprob: Float)]) -> [GenerationEvent] {
        rows.map { row in
            let id = FakeCodec().encode(row.text)[0]
            let logprobs = TokenLogprobs(chosen: .init(id: id, logprob: row.logprob), top: [])
            return .token(GeneratedToken(id: id, chains: 4, logprobs: logprobs))
        }
    }

    @Test func givesTheLikeliestPerToken() throws {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"p","n":2,"best_of":4,"max_tokens":3,"seed":3"#)
        let submitted = fixture.service.submitted
        #expect(submitted.count == 4)
        #expect(submitted.map(\.logprobs) == [0, 0, 0, 0], "nobody asked for them, but they are compared")
        #expect(submitted.map(\.leader) == [nil] + Array(repeating: submitted[0].id, count: 3))
        let answers: [[(text: String, logprob: Float)]] = [
            [("a", -1), ("b", -1), ("c", -4)],  // -2
            [("d", -1.5)],  // -1.5, though a sum of less than all but the last
            [("e", -3), ("f", -3)],  // -3
            [("g", -1), ("h", -1), ("i", -1)],  // -1
        ]
        for index in [2, 0, 3, 1] {
            #expect(responder.response == nil)
            fixture.service.send(.admitted() + tokens(answers[index]) + .finished(.length), to: index)
        }
        let choices = responder.json["choices"]
        #expect(choices.list.map { $0["index"].int } == [0, 1])
        #expect(choices.list.map { $0["text"].string } == ["ghi", "d"])
        #expect(choices.list.allSatisfy { $0["logprobs"].isNull })
        let usage = responder.json["usage"]
        #expect(usage["prompt_tokens"].int == 1)
        #expect(usage["completion_tokens"].int == 9, "what was generated counts, given or not")
        #expect(usage["completion_tokens_details"]["chain_tokens"].list.map(\.int) == [0, 0, 0, 9])
    }

    @Test func eachPromptHasItsOwnBest() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":["p","q"],"best_of":2,"logprobs":0"#)
        for (index, logprob) in [-2, -1, -5, -6].enumerated() {
            let text = String(index)
            fixture.service.send(
                .admitted() + tokens([(text: text, logprob: Float(logprob))]) + .finished(.length),
                to: index
            )
        }
        let choices = responder.json["choices"].list
        #expect(choices.map { $0["text"].string } == ["1", "2"])
        #expect(choices.map { $0["logprobs"]["token_logprobs"][0].double } == [-1, -5])
        #expect(responder.json["usage"]["prompt_tokens"].int == 2)
    }

    /// Greedy answers are all the same: the first is as good as any.
    @Test func equalsStayInTheirOrder() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"p","n":2,"best_of":3"#)
        for index in [2, 1, 0] {
            fixture.service.send(
                .admitted() + tokens([(text: String(index), logprob: -1)]) + .finished(.stop),
                to: index
            )
        }
        #expect(responder.json["choices"].list.map { $0["text"].string } == ["0", "1"])
    }

    /// What follows a stop string is no part of the answer, nor of its likelihood.
    @Test func tokensBehindAStopStringDoNotCount() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"p","best_of":2,"stop":"!""#)
        fixture.service.send(.admitted() + tokens([(text: "a", logprob: -2)]) + .finished(.length), to: 0)
        fixture.service.send(
            .admitted() + tokens([(text: "b", logprob: -1), (text: "!", logprob: -1), (text: "x", logprob: -99)]),
            to: 1
        )
        #expect(responder.json["choices"][0]["text"].string == "b")
        #expect(responder.json["usage"]["completion_tokens"].int == 3)
    }

    @Test func answersWithoutTokens() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"p","best_of":2,"max_tokens":0"#)
        for index in [1, 0] { fixture.service.send(.admitted() + .finished(.length), to: index) }
        #expect(responder.json["choices"].list.map { $0["text"].string } == [""])
    }

    @Test func aClientThatLeavesTakesAllBack() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"p","best_of":3"#)
        responder.cancel()
        #expect(fixture.service.cancelled == fixture.service.submitted.map(\.id))
    }
}
