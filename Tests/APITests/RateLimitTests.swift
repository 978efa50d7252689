import Core
import HTTP1
import Testing

@testable import API

/// The limits of a key, as clients see them.
@Suite struct RateLimitTests {
    private let alice: HTTPHeaders = ["Authorization": "Bearer alice-key"]

    @Test func requestsAMinute() throws {
        let fixture = Fixture(access: try .keys("alice requests_per_minute=2", "bob"))
        for left in ["1", "0"] {
            let responder = fixture.complete(#""prompt":"a","max_tokens":0"#, headers: alice)
            fixture.service.state.withLock { $0.receivers.last }?.receive(.admitted() + .finished(.length))
            let headers = try #require(responder.response?.head.headers)
            #expect(headers["x-ratelimit-limit-requests"] == "2")
            #expect(headers["x-ratelimit-remaining-requests"] == left)
            #expect(headers["x-ratelimit-reset-requests"]?.hasSuffix("s") == true)
            #expect(!headers.contains("x-ratelimit-limit-tokens"))
        }
        let refused = fixture.complete(#""prompt":"a""#, headers: alice)
        let head = try #require(refused.response?.head)
        #expect(head.status == .tooManyRequests)
        #expect(refused.json["error"]["code"].string == "rate_limit_exceeded")
        #expect(refused.json["error"]["type"].string == "requests")
        let wait = try #require(head.headers["retry-after"].flatMap { Int($0) })
        #expect((25...30).contains(wait))
        #expect(try #require(head.headers["retry-after-ms"].flatMap { Int($0) }) <= wait * 1000)
        #expect(head.headers["x-ratelimit-remaining-requests"] == "0")
        #expect(fixture.router.metrics.access.refused(.requests) == 1)
        #expect(fixture.router.metrics.requests.ended(.limited) == 1)
        // Looking is free, and tells the same; other keys are not concerned.
        #expect(
            fixture.send(.get, "/v1/models", headers: alice).response?.head.headers.contains("retry-after") == false
        )
        let bob = fixture.send(.get, "/v1/models", headers: ["X-Api-Key": "bob-key"]).response?.head.headers
        #expect(bob?.contains("x-ratelimit-limit-requests") == false)
    }

    @Test func badRequestsCount() throws {
        let fixture = Fixture(access: try .keys("alice requests_per_minute=1"))
        #expect(fixture.complete(#""prompt":7"#, headers: alice).response?.head.status == .badRequest)
        #expect(fixture.complete(#""prompt":7"#, headers: alice).response?.head.status == .tooManyRequests)
        let type: HTTPHeaders = ["Content-Type": "application/json", "X-Api-Key": "alice-key"]
        let tokenize = fixture.send(.post, "/tokenize", headers: type, body: #"{"prompt":"a"}"#)
        #expect(tokenize.response?.head.status == .tooManyRequests)
        #expect(fixture.router.metrics.requests.ended(.limited) == 1, "only completions are counted there")
    }

    /// Prompt and max_tokens are reserved; what is not generated comes back.
    @Test func tokensAMinute() throws {
        let fixture = Fixture(access: try .keys("alice tokens_per_minute=100"))
        func left() -> String? {
            fixture.send(.get, "/v1/models", headers: alice).response?.head.headers["x-ratelimit-remaining-tokens"]
        }
        // A prompt of 4 tokens, and two answers of at most 20: 44.
        _ = fixture.complete(#""prompt":"wxyz","max_tokens":20,"n":2"#, headers: alice)
        #expect(left() == "56")
        let refused = fixture.complete(#""prompt":"wxyz","max_tokens":55"#, headers: alice)
        #expect(refused.response?.head.status == .tooManyRequests)
        #expect(refused.json["error"]["type"].string == "tokens")
        #expect(refused.response?.head.headers.contains("retry-after") == true)
        #expect(fixture.service.submitted.count == 2)
        for index in 0..<2 {
            fixture.service.send(.admitted() + .text("ab c") + .finished(.stop), to: index)
        }
        // Of each answer 3 tokens were generated.
        #expect(left().flatMap { Int($0) }.map { (90...91).contains($0) } == true, "\(left() ?? "")")
    }

    /// No wait would help, so the client is told not to.
    @Test func moreThanAMinuteHas() throws {
        let fixture = Fixture(access: try .keys("alice tokens_per_minute=10"))
        let refused = fixture.complete(#""prompt":"abc","max_tokens":20"#, headers: alice)
        #expect(refused.response?.head.status == .tooManyRequests)
        #expect(refused.response?.head.headers["x-should-retry"] == "false")
        #expect(refused.response?.head.headers.contains("retry-after") == false)
        #expect(fixture.router.metrics.access.refused(.tokens) == 1)
    }

    /// Whichever way it ends.
    @Test(arguments: ["finished", "failed", "left", "deleted"])
    func whatEndsGivesBack(end: String) throws {
        let fixture = Fixture(access: try .keys("alice tokens_per_minute=60 max_concurrent=1"))
        var mine = alice
        mine.append("X-Request-Id", "mine")
        let responder = fixture.complete(#""prompt":"wxyz","max_tokens":50"#, headers: mine)
        let other = fixture.complete(#""prompt":"a","max_tokens":1"#, headers: alice)
        #expect(other.response?.head.status == .tooManyRequests)
        #expect(other.response?.head.headers["retry-after"] == "1")
        #expect(fixture.router.metrics.access.refused(.concurrent) == 1)
        switch end {
        case "finished": fixture.service.send(.admitted() + .text("z") + .finished(.stop))
        case "failed": fixture.service.send([.failed(.overloaded(retryAfter: 1))])
        case "left": responder.cancel()
        default:
            _ = fixture.send(.delete, "/v1/requests/mine", headers: alice)
        }
        let again = fixture.complete(#""prompt":"wxyz","max_tokens":50"#, headers: alice)
        #expect(again.response == nil, "\(again.json)")
    }

    @Test func streamsHaveTheHeaders() throws {
        let fixture = Fixture(access: try .keys("alice tokens_per_minute=60"))
        let responder = fixture.complete(#""prompt":"a","stream":true"#, headers: alice)
        fixture.service.send(.admitted() + .text("b") + .finished(.stop))
        #expect(responder.head?.headers["x-ratelimit-limit-tokens"] == "60")
        #expect(responder.isFinished && responder.mistakes.isEmpty)
    }

    @Test(arguments: [
        (0.0, "0ms"), (0.0004, "1ms"), (0.82, "820ms"), (1, "1s"), (6.5, "6.5s"), (59.9995, "1m0s"), (60, "1m0s"),
        (90.25, "1m30.25s"),
    ])
    func timesAsOpenAIWritesThem(seconds: Double, text: String) {
        #expect(AnswerFields.text(.seconds(seconds)) == text)
    }
}
