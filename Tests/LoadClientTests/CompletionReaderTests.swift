import LoadTesting
import Testing

@testable import LoadClient

@Suite struct CompletionReaderTests {
    private func read(_ head: AnswerHead, _ body: String) throws -> RequestOutcome {
        var reader = CompletionReader(
            RequestOutcome(Arrival(time: 1, promptTokens: 8, outputTokens: 3), limits: LatencyLimits())
        )
        reader.start(head)
        var time = 2.0
        for event in body.components(keeping: "\n\n") {
            try Array(event.utf8).withUnsafeBytes { try reader.take($0, at: time) }
            time += 1
        }
        reader.finish(at: 100)
        return reader.outcome
    }

    private static let streamHead: AnswerHead = {
        var head = AnswerHead(status: 200)
        head.contentType = "text/event-stream"
        return head
    }()

    @Test func stream() throws {
        let outcome = try read(
            Self.streamHead,
            Answers.token("a", chains: 4) + Answers.token("b", chains: 2)
                + Answers.token("c", chains: 2, finish: "length")
                + Answers.usage(3, cached: 5, chains: [0, 2, 0, 1]) + Answers.done
        )
        #expect(outcome.status == .completed && outcome.outputTokens == 3 && outcome.promptTokens == 9)
        #expect(outcome.cachedTokens == 5 && outcome.chainTokens == [0, 2, 0, 1])
        #expect(outcome.timeToFirstToken == 1 && outcome.endToEnd == 3 && outcome.timePerToken == 1)
        #expect(outcome.runs.map(\.chains) == [4, 2])
    }

    /// Other servers: no chains, no usage, an empty last chunk, chat's deltas.
    @Test func otherServers() throws {
        let outcome = try read(
            Self.streamHead,
            Answers.event(#"{"choices":[{"delta":{"role":"assistant"}}]}"#)
                + Answers.event(#"{"choices":[{"delta":{"content":"x"},"finish_reason":null}]}"#)
                + Answers.event(#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#) + Answers.done
        )
        #expect(outcome.status == .completed && outcome.outputTokens == 1 && outcome.chainTokens.isEmpty)
        #expect(outcome.timeToFirstToken == 2 && outcome.endToEnd == 3)
    }

    @Test func whole() throws {
        var head = AnswerHead(status: 200)
        head.contentType = "application/json"
        let outcome = try read(
            head,
            #"{"choices":[{"text":"abc","finish_reason":"length"}],"usage":{"completion_tokens":3,"prompt_tokens":8}}"#
        )
        #expect(outcome.status == .completed && outcome.outputTokens == 3 && outcome.endToEnd == 99)
    }

    @Test func cutAtTheDeadline() throws {
        let outcome = try read(
            Self.streamHead,
            Answers.token("a", chains: 1) + Answers.token("", chains: 1, finish: "length", stop: "deadline")
                + Answers.done
        )
        #expect(outcome.status == .cut && outcome.outputTokens == 1)
    }

    @Test func failures() throws {
        let broken = try read(Self.streamHead, Answers.token("a") + Answers.done)
        #expect(broken.status == .failed("the answer ended without a finish_reason"))
        let error = try read(
            Self.streamHead,
            Answers.token("a") + Answers.event(#"{"error":{"message":"gone","code":"shutting_down"}}"#) + Answers.done
        )
        #expect(error.status == .failed("shutting_down: gone") && error.end == 100)
        let plain = try read(AnswerHead(status: 400), #"{"error":{"message":"no such field","code":null}}"#)
        #expect(plain.status == .failed("HTTP 400: no such field"))
        #expect(try read(AnswerHead(status: 502), "<html>").status == .failed("HTTP 502: <html>"))
        #expect(try read(AnswerHead(status: 429), "slow down").status == .rejected(status: 429, code: nil))
        #expect(throws: AnswerError.self) { try read(Self.streamHead, "data: {\n\n") }
        #expect(throws: AnswerError.self) { try read(Self.streamHead, "data: []\n\n") }
    }

    /// Numbers that no server means must not end the test.
    @Test func absurdNumbers() throws {
        let outcome = try read(
            Self.streamHead,
            Answers.event(#"{"choices":[{"text":"a","finish_reason":"stop","chains":9000000000000000000}]}"#)
                + Answers.event(
                    #"{"choices":[],"usage":{"completion_tokens":9223372036854775807,"prompt_tokens":-1,"#
                        + #""completion_tokens_details":{"chain_tokens":[-5,9223372036854775807,"x"]}}}"#
                )
        )
        #expect(outcome.outputTokens == 1 && outcome.promptTokens == 8 && outcome.chainTokens == [0, 0, 0])
        #expect(LoadReport(title: "", outcomes: [outcome, outcome], duration: 1).outputTokens == 2)
    }
}

extension String {
    /// Parts that end with `mark`.
    fileprivate func components(keeping mark: String) -> [String] {
        var parts: [String] = []
        var rest = self[...]
        while let range = rest.firstRange(of: mark) {
            parts.append(String(rest[..<range.upperBound]))
            rest = rest[range.upperBound...]
        }
        if !rest.isEmpty { parts.append(String(rest)) }
        return parts
    }
}
