import JSON
import LoadTesting
import Testing

@testable import LoadClient

@Suite struct PromptSourceTests {
    private func prompt(_ source: PromptSource, _ index: Int, _ tokens: Int) throws -> JSONValue {
        var json = JSONWriter()
        source.write(index, tokens: tokens, to: &json)
        return try JSONParser.parse(json.bytes, of: "the prompt")
    }

    @Test func words() throws {
        let source = PromptSource.words(tokensPerWord: 1.25, seed: 1)
        let text = try #require(prompt(source, 3, 100).string)
        #expect(text.split(separator: " ").count == 80)
        #expect(try prompt(source, 3, 100).string == text)
        #expect(try #require(prompt(source, 3, 200).string).hasPrefix(text))
        #expect(try prompt(source, 4, 100).string != text)
        #expect(try prompt(.words(tokensPerWord: 1.25, seed: 2), 3, 100).string != text)
        #expect(try prompt(.words(tokensPerWord: 50, seed: 2), 3, 1).string?.isEmpty == false)
        #expect(Set(PromptSource.words).count > 150)
    }

    @Test func tokens() throws {
        let ids = try #require(prompt(.tokens(vocabulary: 4096, seed: 1), 0, 500).array).map { $0.int ?? -1 }
        #expect(ids.count == 500 && ids.allSatisfy { (512..<3584).contains($0) })
        #expect(Set(ids).count > 300)
    }

    @Test func requests() throws {
        var template = CompletionTemplate(prompts: .tokens(vocabulary: 64, seed: 1))
        template.model = "a \"model\""
        template.apiKey = "secret"
        template.chains = "1-3"
        template.sessions = 3
        template.sessionPrefix = "t"
        let outcome = RequestOutcome(
            Arrival(time: 0, promptTokens: 4, outputTokens: 7),
            limits: LatencyLimits(total: 0.8, firstToken: 0.25, perToken: 0.0025)
        )
        let target = try Target("http://127.0.0.1:81")
        func parts(_ bytes: [UInt8]) throws -> (head: String, body: JSONObject) {
            let text = String(decoding: bytes, as: UTF8.self)
            let end = try #require(text.firstRange(of: "\r\n\r\n"))
            let body = Array(text[end.upperBound...].utf8)
            #expect(text.contains("\r\nContent-Length: \(body.count)\r\n"))
            return (String(text[..<end.lowerBound]), try #require(try JSONParser.parse(body, of: "the body").object))
        }
        let (head, body) = try parts(template.request(5, outcome, to: target))
        #expect(head.hasPrefix("POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:81\r\n"))
        for line in [
            "Authorization: Bearer secret", "X-Chains: 1-3", "X-Session-Id: t-2", "X-Latency-Budget-Ms: 800",
            "X-SLO-TTFT-Ms: 250", "X-SLO-TPOT-Ms: 2.5", "Content-Type: application/json",
        ] { #expect(head.contains("\r\n" + line)) }
        #expect(body["model"]?.string == "a \"model\"" && body["max_tokens"]?.int == 7)
        #expect(body["stream"]?.bool == true && body["ignore_eos"]?.bool == true)
        #expect(body["stream_options"]?.object?["include_usage"]?.bool == true)
        #expect(body["prompt"]?.array?.count == 4)
        // Requests of one session begin alike, without sessions none do.
        #expect(
            try parts(template.request(8, outcome, to: target)).body["prompt"]?.array?.map(\.int)
                == body["prompt"]?.array?.map(\.int)
        )
        template.sessions = 0
        let alone = try parts(template.request(8, outcome, to: target))
        #expect(!alone.head.contains("X-Session-Id"))
        #expect(alone.body["prompt"]?.array?.map(\.int) != body["prompt"]?.array?.map(\.int))
        let bare = CompletionTemplate(prompts: .words(tokensPerWord: 1, seed: 1))
        let plain = try parts(
            bare.request(
                0,
                RequestOutcome(Arrival(time: 0, promptTokens: 1, outputTokens: 1), limits: .init()),
                to: target
            )
        )
        #expect(!plain.head.contains("X-") && !plain.head.contains("Authorization") && plain.body["model"] == nil)
    }
}
