import Core
import HTTP1
import JSON
import Testing

@testable import API

@Suite struct BudgetRequestTests {
    private func budget(_ headers: HTTPHeaders, _ body: String) throws -> LatencyBudget {
        try BudgetRequest(headers: BudgetHeaders(headers), body: RequestFields(body: Array("{\(body)}".utf8))).resolve()
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var headers: HTTPHeaders = [:]
        var body = ""
        var expected: LatencyBudget
        var testDescription: String { "\(Array(headers)) {\(body)}" }
    }

    @Test(arguments: [
        Case(expected: .none),
        Case(headers: ["X-Latency-Budget-Ms": "800"], expected: LatencyBudget(whole: .milliseconds(800))),
        Case(headers: ["x-llm-d-latency-budget-ms": "1.25"], expected: LatencyBudget(whole: .microseconds(1250))),
        Case(headers: ["X-SLO-TTFT-Ms": "1"], expected: LatencyBudget(firstToken: .milliseconds(1))),
        Case(headers: ["x-llm-d-slo-ttft-ms": "300"], expected: LatencyBudget(firstToken: .milliseconds(300))),
        Case(headers: ["X-SLO-TPOT-Ms": "86400000"], expected: LatencyBudget(perToken: .seconds(86400))),
        Case(headers: ["x-llm-d-slo-tpot-ms": "0020.50"], expected: LatencyBudget(perToken: .microseconds(20_500))),
        Case(headers: ["X-Best-Effort": "true"], expected: LatencyBudget(isBestEffort: true)),
        Case(headers: ["x-llm-d-best-effort": "false"], body: #""best_effort":false"#, expected: .none),
        Case(body: #""latency_budget_ms":800.5"#, expected: LatencyBudget(whole: .microseconds(800_500))),
        Case(body: #""slo":{}"#, expected: .none),
        Case(body: #""slo":{"ttft_ms":null,"tpot_ms":2}"#, expected: LatencyBudget(perToken: .milliseconds(2))),
        // Each from its own place; and the same in both.
        Case(
            headers: ["X-SLO-TTFT-Ms": "10", "X-Latency-Budget-Ms": "100.0", "x-llm-d-slo-ttft-ms": "10"],
            body: #""latency_budget_ms":100,"slo":{"tpot_ms":5},"best_effort":true"#,
            expected: LatencyBudget(
                whole: .milliseconds(100),
                firstToken: .milliseconds(10),
                perToken: .milliseconds(5),
                isBestEffort: true
            )
        ),
    ])
    func resolves(row: Case) throws {
        #expect(try budget(row.headers, row.body) == row.expected)
    }

    @Test(
        arguments: [
            (
                ["X-Latency-Budget-Ms": "800"], #""latency_budget_ms":900"#,
                "header 'X-Latency-Budget-Ms: 800' and the body's 'latency_budget_ms' (900)", "latency_budget_ms"
            ),
            (
                ["X-SLO-TTFT-Ms": "1.5"], #""slo":{"ttft_ms":2.5}"#,
                "header 'X-SLO-TTFT-Ms: 1.5' and the body's 'slo.ttft_ms' (2.5)", "slo.ttft_ms"
            ),
            (
                ["X-SLO-TPOT-Ms": "3", "x-llm-d-slo-tpot-ms": "4"], "",
                "header 'X-SLO-TPOT-Ms: 3' and the header 'x-llm-d-slo-tpot-ms: 4'", "slo.tpot_ms"
            ),
            (
                ["X-Best-Effort": "true"], #""best_effort":false"#,
                "header 'X-Best-Effort: true' and the body's 'best_effort' (false)", "best_effort"
            ),
        ] as [(HTTPHeaders, String, String, String)]
    )
    func refusesContradictions(headers: HTTPHeaders, body: String, places: String, param: String) {
        let message = "The \(places) contradict each other; send one of them, or the same in both."
        #expect(throws: APIError.invalid(message, param: param)) { try budget(headers, body) }
    }

    @Test(arguments: [
        "", "0", "0.99", "86400000.1", "-1", "+1", "1e3", "1.", ".5", "0x10", "inf", "nan", "1 ", "1,5", "1.2.3",
        "800ms",
        "٣",
    ])
    func refusesHeaders(value: String) {
        let message =
            "must be a number of milliseconds from 1 to 86400000 (a day); got the string \"\(value)\"."
        for name in ["X-Latency-Budget-Ms", "x-llm-d-slo-ttft-ms", "X-SLO-TPOT-Ms"] {
            #expect(throws: APIError.invalid("The header '\(name)' " + message)) { try budget([name: value], "") }
        }
    }

    @Test(arguments: ["1", "True", "yes", ""])
    func refusesOtherWordsForBestEffort(value: String) {
        let message = "The header 'X-Best-Effort' must be true or false; got the string \"\(value)\"."
        #expect(throws: APIError.invalid(message)) { try budget(["X-Best-Effort": value], "") }
    }

    @Test(arguments: [
        (#""latency_budget_ms":0"#, "'latency_budget_ms' \(wanted); got the number 0.", "latency_budget_ms"),
        (#""latency_budget_ms":-5"#, "'latency_budget_ms' \(wanted); got the number -5.", "latency_budget_ms"),
        (
            #""latency_budget_ms":1e9"#, "'latency_budget_ms' \(wanted); got the number 1000000000.0.",
            "latency_budget_ms"
        ),
        (#""latency_budget_ms":"800""#, "'latency_budget_ms' \(wanted); got the string \"800\".", "latency_budget_ms"),
        (#""latency_budget_ms":true"#, "'latency_budget_ms' \(wanted); got true.", "latency_budget_ms"),
        (#""slo":800"#, "'slo' must be an object; got the number 800.", "slo"),
        (#""slo":{"ttft_ms":0.5}"#, "'slo.ttft_ms' \(wanted); got the number 0.5.", "slo.ttft_ms"),
        (#""slo":{"tpot_ms":[]}"#, "'slo.tpot_ms' \(wanted); got an empty list.", "slo.tpot_ms"),
        (#""best_effort":1"#, "'best_effort' must be true or false; got the number 1.", "best_effort"),
    ])
    func refusesBodies(body: String, message: String, param: String) {
        #expect(throws: APIError.invalid(message, param: param)) { try budget([:], body) }
    }

    private static let wanted = "must be a number of milliseconds from 1 to 86400000 (a day)"
}
