import Core
import Dispatch
import HTTP1
import Testing

@testable import API

/// Budgets, priorities and salts on their way to the engine, and what comes of budgets on the way back.
@Suite struct BudgetTests {
    @Test func reachesTheEngine() throws {
        let fixture = Fixture()
        let headers: HTTPHeaders = ["X-SLO-TTFT-Ms": "50", "X-Chains": "2"]
        _ = fixture.complete(#""prompt":"a","latency_budget_ms":800,"priority":7,"cache_salt":"s""#, headers: headers)
        let request = try #require(fixture.service.submitted.first)
        #expect(request.budget == LatencyBudget(whole: .milliseconds(800), firstToken: .milliseconds(50)))
        #expect(request.chains == .fixed(2), "a fixed size and a budget may come together")
        #expect(request.priority == 7)
        #expect(request.cacheSalt == "s")
        #expect(request.client == "unix")
        #expect(request.leader == nil)
    }

    @Test func theOperatorsBudgetIsForRequestsWithoutLimits() {
        var options = APIOptions()
        options.defaultBudget = LatencyBudget(whole: .seconds(2))
        let fixture = Fixture(options: options)
        let wishes = ["", #","slo":{"tpot_ms":9}"#, #","best_effort":true"#, #","latency_budget_ms":null"#]
        for (index, fields) in wishes.enumerated() {
            _ = fixture.complete(#""prompt":"a""# + fields, headers: ["X-Request-Id": "mine-\(index)"])
        }
        let whole = LatencyBudget(whole: .seconds(2))
        let wished = LatencyBudget(whole: .seconds(2), isBestEffort: true)
        let own = LatencyBudget(perToken: .milliseconds(9))
        #expect(fixture.service.submitted.map(\.budget) == [whole, own, wished, whole])
        _ = fixture.patch("mine-0", #""latency_budget_ms":null"#)
        #expect(fixture.service.changes.map(\.change.budget) == [LatencyBudget.none], "a change means what it says")
    }

    /// The transport's stamp and the budget's clock count differently; the distance to now is what is carried over.
    @Test func countsFromTheArrivalOfTheFirstByte() throws {
        let fixture = Fixture()
        let before = ContinuousClock.now
        _ = fixture.complete(#""prompt":"a""#, arrival: DispatchTime.now().uptimeNanoseconds - 5_000_000_000)
        let arrival = try #require(fixture.service.submitted.first?.arrival)
        #expect(arrival <= before - .milliseconds(4990))
        #expect(arrival >= before - .milliseconds(5010))
        // A stamp from the future would be a defect of the transport; a budget must not grow by it.
        _ = fixture.complete(#""prompt":"a""#, arrival: .max)
        #expect(fixture.service.submitted[1].arrival <= .now)
    }

    @Test func theFirstOfAPromptsChoicesLeadsTheOthers() {
        let fixture = Fixture()
        _ = fixture.complete(#""prompt":["a","b"],"n":3"#)
        let submitted = fixture.service.submitted
        let (a, b) = (submitted[0].id, submitted[3].id)
        #expect(submitted.map(\.leader) == [nil, a, a, nil, b, b])
        #expect(Set(submitted.map(\.arrival)).count == 1)
    }

    @Test(arguments: [false, true])
    func anAnswerCutByItsDeadlineSaysSo(isStreaming: Bool) {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":["a","b"],"latency_budget_ms":5,"stream":\#(isStreaming)"#)
        fixture.service.send(.admitted(reason: .budget) + .text("x") + .finished(.deadline))
        fixture.service.send(.admitted() + .text("y") + .finished(.length), to: 1)
        let choices =
            isStreaming ? responder.chunks.map { $0["choices"][0] } : responder.json["choices"].list
        #expect(choices.map { $0["finish_reason"].string } == ["length", "length"])
        #expect(choices.map { $0["stop_reason"].string } == ["deadline", nil])
        #expect(choices[1]["stop_reason"].exists == false, "only said where it says something")
        let headers = isStreaming ? responder.head?.headers : responder.response?.head.headers
        #expect(headers?["x-chains-reason"] == "budget")
    }

    @Test(
        arguments: [
            (
                .whole, Duration.microseconds(1_234_510), "latency_budget_ms",
                "The budget cannot be met: this answer takes at least 1234.6 ms with one chain on an idle server, and "
                    + "'latency_budget_ms' is 800 ms. Raise it, or ask for best effort ('best_effort': true)."
            ),
            (
                .firstToken, .milliseconds(30), "slo.ttft_ms",
                "The budget cannot be met: its first token takes at least 30 ms with one chain on an idle server, and "
                    + "'slo.ttft_ms' is 12.5 ms. Raise it, or ask for best effort ('best_effort': true)."
            ),
            (
                .perToken, .microseconds(1900), "slo.tpot_ms",
                "The budget cannot be met: each of its tokens takes at least 1.9 ms with one chain on an idle server, "
                    + "and 'slo.tpot_ms' is 1 ms. Raise it, or ask for best effort ('best_effort': true)."
            ),
        ] as [(BudgetLimit, Duration, String, String)]
    )
    func aBudgetThatCannotBeMet(limit: BudgetLimit, minimum: Duration, param: String, message: String) {
        let fixture = Fixture()
        let fields = #""prompt":"a","stream":true,"latency_budget_ms":800,"slo":{"ttft_ms":12.5,"tpot_ms":1}"#
        let responder = fixture.complete(fields)
        fixture.service.send([.failed(.unattainable(limit: limit, minimum: minimum))])
        let head = responder.response?.head
        #expect(head?.status.code == 503)
        #expect(head?.headers["x-should-retry"] == "false")
        #expect(head?.headers["retry-after"] == nil)
        let error = responder.json["error"]
        #expect(error["code"].string == "deadline_unattainable")
        #expect(error["type"].string == "server_error")
        #expect(error["param"].string == param)
        #expect(error["message"].string == message)
    }

    @Test func otherRefusalsMayBeTriedAgain() {
        let fixture = Fixture()
        let responder = fixture.complete(#""prompt":"a""#)
        fixture.service.send([.failed(.overloaded(retryAfter: 1.5))])
        let headers = responder.response?.head.headers
        #expect(headers?["x-should-retry"] == nil)
        #expect(headers?["retry-after"] == "2")
        #expect(headers?["retry-after-ms"] == "1500")
    }
}
