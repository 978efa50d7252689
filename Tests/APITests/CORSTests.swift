import HTTP1
import Testing

@testable import API

/// Pages of other origins.
@Suite struct CORSTests {
    private func fixture(_ origins: CORSPolicy.Origins?, keys: String...) throws -> Fixture {
        var access = keys.isEmpty ? AccessControl() : try AccessControl.keys(keys[0])
        access.cors = origins.map { CORSPolicy(origins: $0, maxAge: .seconds(600)) }
        return Fixture(access: access)
    }

    private let one = CORSPolicy.Origins.these(["https://a.example"])

    @Test func offByDefault() throws {
        let headers = try fixture(nil).send(.get, "/health", headers: ["Origin": "https://a.example"]).response?.head
            .headers
        #expect(headers?.contains { $0.name.lowercased().hasPrefix("access-control") || $0.name == "Vary" } == false)
    }

    @Test(
        arguments: [
            ("https://a.example", "https://a.example"), ("https://b.example", nil), ("http://a.example", nil),
            ("https://a.example:8443", nil), ("https://a.example.evil", nil), ("null", nil), (nil, nil),
        ] as [(String?, String?)]
    )
    func origins(origin: String?, allowed: String?) throws {
        let headers: HTTPHeaders = origin.map { ["Origin": $0] } ?? [:]
        for path in ["/health", "/v1/models", "/nothing"] {
            let answer = try #require(try fixture(one).send(.get, path, headers: headers).response?.head.headers)
            #expect(answer["access-control-allow-origin"] == allowed)
            #expect(answer["vary"] == "Origin", "a cache must not give one page's answer to another")
            #expect(answer.contains("access-control-expose-headers") == (allowed != nil))
            #expect(!answer.contains("access-control-allow-credentials"))
        }
    }

    @Test func anyOrigin() throws {
        let answer = try fixture(.any).send(.get, "/health", headers: ["Origin": "null"]).response?.head.headers
        #expect(answer?["access-control-allow-origin"] == "*")
        #expect(answer?["vary"] == nil)
        let exposed = answer?["access-control-expose-headers"] ?? ""
        for name in ["X-Chains", "X-Request-Id", "retry-after-ms", "x-ratelimit-remaining-tokens", "traceparent"] {
            #expect(exposed.contains(name))
        }
        #expect(
            try fixture(.any).send(.get, "/health").response?.head.headers.contains("access-control-allow-origin")
                == false
        )
    }

    /// A browser asks before it sends JSON or a key, and sends no key with the question.
    @Test func preflight() throws {
        let asked: HTTPHeaders = [
            "Origin": "https://a.example", "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, content-type,x-stainless-lang, b@d,\tx_y",
        ]
        let fixture = try fixture(one, keys: "alice")
        let head = try #require(fixture.send(.options, "/v1/completions", headers: asked).response?.head)
        #expect(head.status == .noContent)
        #expect(head.headers["access-control-allow-origin"] == "https://a.example")
        #expect(head.headers["access-control-allow-methods"] == "POST, OPTIONS")
        let names = "authorization, content-type, x-stainless-lang, x_y"
        #expect(head.headers["access-control-allow-headers"] == names)
        #expect(head.headers["access-control-max-age"] == "600")
        #expect(head.headers["vary"] == "Origin")
        // An OPTIONS that asks for nothing is one without CORS.
        let plain = fixture.send(.options, "/v1/completions", headers: ["Origin": "https://a.example"])
        #expect(plain.response?.head.headers.contains("access-control-allow-methods") == false)
        #expect(plain.response?.head.headers["allow"] == "POST, OPTIONS")
    }

    /// A page must be able to read why it was refused.
    @Test func refusalsAreReadable() throws {
        let fixture = try fixture(one, keys: "alice")
        let head = fixture.send(.get, "/v1/models", headers: ["Origin": "https://a.example"]).response?.head
        #expect(head?.status == .unauthorized)
        #expect(head?.headers["access-control-allow-origin"] == "https://a.example")
    }

    /// Also those that the transport refuses, as far as it knows who asks.
    @Test(
        arguments: [
            (true, "https://a.example", "https://a.example", "*"), (true, "https://b.example", nil, "*"),
            (true, nil, nil, nil), (false, "https://a.example", "https://a.example", "*"),
            // It may have had an Origin.
            (false, nil, nil, "*"),
        ] as [(Bool, String?, String?, String?)]
    )
    func refusalsOfTheTransport(isComplete: Bool, origin: String?, listed: String?, any: String?) throws {
        let headers: HTTPHeaders = origin.map { ["Origin": $0] } ?? [:]
        let head = RequestHead(method: .post, target: RequestTarget(path: "/v1/completions"), headers: headers)
        let request = RefusedRequest(head: head, isHeadComplete: isComplete, peer: .unix, arrival: 0)
        for (origins, allowed) in [(one, listed), (.any, any)] {
            let answer = try fixture(origins).router.answer(to: Fault(413, "too large"), refusing: request).head.headers
            #expect(answer["access-control-allow-origin"] == allowed)
            #expect(answer.contains("access-control-expose-headers") == (allowed != nil))
            #expect(answer["vary"] == (origins == .any ? nil : "Origin"))
        }
    }

    @Test func refusalsOfWhatCannotBeRead() throws {
        let request = RefusedRequest(head: nil, isHeadComplete: false, peer: .unix, arrival: 0)
        let any = try fixture(.any).router.answer(to: Fault(414, "too long"), refusing: request).head.headers
        #expect(any["access-control-allow-origin"] == "*")
        let listed = try fixture(one).router.answer(to: Fault(414, "too long"), refusing: request).head.headers
        #expect(listed["access-control-allow-origin"] == nil && listed["vary"] == "Origin")
    }
}
