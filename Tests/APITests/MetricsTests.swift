import Core
import HTTP1
import Metrics
import Testing

@testable import API

/// What the API tells the metrics, and how it shows them.
@Suite struct MetricsTests {
    private func outcomes(_ fixture: Fixture) -> [RequestOutcome: Int] {
        let requests = fixture.router.metrics.requests
        let counts = RequestOutcome.allCases.map { ($0, requests.ended($0)) }
        return Dictionary(uniqueKeysWithValues: counts.filter { $0.1 > 0 })
    }

    @Test(
        arguments: [
            (.overloaded(retryAfter: 1), .overloaded),
            (.unattainable(limit: .whole, minimum: .seconds(1)), .unattainable),
            (.shuttingDown, .unavailable), (.tooLarge(neededTokens: 9, poolTokens: 1), .invalid),
        ] as [(GenerationFailure, RequestOutcome)]
    )
    func refusals(failure: GenerationFailure, outcome: RequestOutcome) {
        let fixture = Fixture()
        _ = fixture.complete(#""prompt":["a","b"]"#)
        fixture.service.send([.failed(failure)])
        fixture.service.send([.failed(failure)], to: 1)
        #expect(outcomes(fixture) == [outcome: 1], "a request counts once, whatever its choices")
    }

    @Test func requestsCountOnceByHowTheyEnded() {
        let fixture = Fixture()
        _ = fixture.complete(#""prompt":1"#)
        #expect(outcomes(fixture) == [.invalid: 1])
        let gone = FakeResponder()
        gone.cancel()
        _ = fixture.complete(#""prompt":"a""#, to: gone)
        #expect(outcomes(fixture) == [.invalid: 1, .disconnected: 1])
        for (isStreaming, reason) in [(true, FinishReason.stop), (false, .length), (true, .deadline)] {
            let index = fixture.service.submitted.count
            _ = fixture.complete(#""prompt":["a","b"],"stream":\#(isStreaming)"#)
            fixture.service.send(.admitted() + .finished(reason), to: index)
            fixture.service.send(.admitted() + .finished(.length), to: index + 1)
        }
        let leaving = fixture.complete(#""prompt":"a""#)
        leaving.cancel()
        _ = fixture.complete(#""prompt":"a""#, headers: ["X-Request-Id": "r"])
        _ = fixture.send(.delete, "/v1/requests/r")
        #expect(
            outcomes(fixture) == [.invalid: 1, .disconnected: 2, .completed: 2, .deadline: 1, .cancelled: 1]
        )
    }

    @Test func tokensCountAsTheUsageSays() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"Once upon","stop":"END","latency_budget_ms":60000"#)
        fixture.service.send(.admitted(cached: 1) + .text("ab", chains: 4) + .text("EN", chains: 1))
        fixture.service.send(.text("D", chains: 2) + .text("late", chains: 3))
        fixture.service.send(.text("later", chains: 3) + .finished(.length))
        let requests = fixture.router.metrics.requests
        let chainTokens = responder.json["usage"]["completion_tokens_details"]["chain_tokens"].list.map(\.int)
        #expect(chainTokens == [2, 1, 0, 1])
        #expect((1...4).map(requests.generated) == [2, 1, 0, 1])
        #expect(requests.chainsLowered.value == 1 && requests.chainsRaised.value == 1)
        #expect(requests.promptTokens.value == 2 && requests.cachedPromptTokens.value == 1)
        #expect(requests.timeToFirstToken.reading.count == 1)
        #expect(requests.interTokenLatency.reading.count == 3)
        #expect(requests.duration.reading.count == 1)
        #expect(requests.budgets(.whole, isMet: true) == 1)
    }

    @Test func aChangedBudgetIsWhatCounts() {
        let fixture = Fixture()
        _ = fixture.complete(#""prompt":"a","slo":{"ttft_ms":60000}"#, headers: ["X-Request-Id": "mine"])
        _ = fixture.patch("mine", #""latency_budget_ms":60000"#)
        fixture.service.send(.admitted() + .text("x") + .finished(.length))
        let requests = fixture.router.metrics.requests
        #expect(requests.budgets(.whole, isMet: true) == 1)
        #expect(requests.budgets(.firstToken, isMet: true) == 0)
    }

    @Test func thePage() throws {
        let fixture = Fixture()
        fixture.router.metrics.engine.running.set(3)
        let answer = try #require(fixture.send(.get, "/metrics").response)
        #expect(answer.head.status == .ok)
        #expect(answer.head.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        let page = String(decoding: answer.body, as: UTF8.self)
        #expect(page.contains("\ncatena_requests_running 3\n"))
        #expect(page.contains("\nvllm:num_requests_running{model_name=\"catena\"} 3\n"))
        #expect(page.contains("\ncatena_tokens_generated_total{chains=\"4\"} 0\n"))
        #expect(fixture.send(.get, "/metrics", query: "aliases=true").response?.body == answer.body)
        let own = try #require(fixture.send(.get, "/metrics", query: "aliases=false").response)
        #expect(!String(decoding: own.body, as: UTF8.self).contains("vllm:"))
        let refused = fixture.send(.get, "/metrics", query: "names=x")
        #expect(refused.response?.head.status == .badRequest)
        let message = "The query must be 'aliases=true' or 'aliases=false'; got \"names=x\"."
        #expect(refused.json["error"]["message"].string == message)
    }

    /// Scrapers must not take a server for dead that is loading or draining.
    @Test func thePageIsThereInEveryPhase() {
        let loading = Fixture(model: nil)
        #expect(loading.send(.get, "/metrics").response?.head.status == .ok)
        let draining = Fixture()
        draining.state.drain()
        #expect(draining.send(.get, "/metrics").response?.head.status == .ok)
    }
}
