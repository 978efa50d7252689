import Core
import HTTP1
import JSON

/// How fast a request wants its answer, from the two places where it can say so: its headers and its body.
///
/// Every limit stands for itself, so one may come by header and another in the body. A limit that both give must be the
/// same in both: they belong to one request, and one of two different values would be ignored silently.
struct BudgetRequest {
    /// From 1 ms: nothing that a network carries is faster. To a day: nobody waits longer, and sums cannot overflow.
    static let milliseconds = 1.0...86_400_000.0

    var headers: BudgetHeaders
    var body: RequestFields

    /// Whether the request says anything about limits; a body's null says that there are none.
    var isGiven: Bool {
        !headers.whole.isEmpty || !headers.firstToken.isEmpty || !headers.perToken.isEmpty
            || body.names("latency_budget_ms") || body.names("slo")
    }

    /// - Throws: 400 for a malformed value, and for two that contradict each other.
    func resolve() throws(APIError) -> LatencyBudget {
        let objectives = RequestFields(try body.object("slo") ?? JSONObject())
        return LatencyBudget(
            whole: try duration(headers.whole, body["latency_budget_ms"], name: "latency_budget_ms"),
            firstToken: try duration(headers.firstToken, objectives["ttft_ms"], name: "slo.ttft_ms"),
            perToken: try duration(headers.perToken, objectives["tpot_ms"], name: "slo.tpot_ms"),
            isBestEffort: try bestEffort() ?? false
        )
    }

    /// As ``resolve()``, with the limits of `fallback` where the request has none; best effort is the request's own.
    func resolve(default fallback: LatencyBudget) throws(APIError) -> LatencyBudget {
        let own = try resolve()
        guard !own.isLimited else { return own }
        var budget = fallback
        budget.isBestEffort = own.isBestEffort
        return budget
    }

    /// Whether limits are only wished for; nil when the request does not say.
    func bestEffort() throws(APIError) -> Bool? {
        var said: [Said<Bool>] = []
        for header in headers.bestEffort {
            guard header.value == "true" || header.value == "false" else {
                throw .invalid(
                    "The header '\(header.name)' must be true or false; got \(JSONValue.string(header.value).found)."
                )
            }
            said.append(Said(place: header.place, value: header.value == "true"))
        }
        if let value = try body.bool("best_effort") {
            said.append(Said(place: "body's 'best_effort' (\(value))", value: value))
        }
        return try agreed(said, name: "best_effort")
    }

    private func duration(
        _ headers: [BudgetHeaders.Field],
        _ value: JSONValue?,
        name: String
    ) throws(APIError) -> Duration? {
        var said: [Said<Double>] = []
        for header in headers {
            guard let number = Self.decimal(header.value), Self.milliseconds.contains(number) else {
                throw .invalid(
                    "The header '\(header.name)' \(Self.wanted); got \(JSONValue.string(header.value).found)."
                )
            }
            said.append(Said(place: header.place, value: number))
        }
        if let value {
            guard let number = value.double, Self.milliseconds.contains(number) else {
                throw .invalid("'\(name)' \(Self.wanted); got \(value.found).", param: name)
            }
            said.append(Said(place: "body's '\(name)' (\(Self.text(number)))", value: number))
        }
        return try agreed(said, name: name).map { .nanoseconds(Int64(($0 * 1_000_000).rounded())) }
    }

    private struct Said<Value: Equatable> {
        /// Where it stands, for an error message.
        var place: String
        var value: Value
    }

    private func agreed<Value>(_ said: [Said<Value>], name: String) throws(APIError) -> Value? {
        guard let first = said.first else { return nil }
        if let other = said.first(where: { $0.value != first.value }) {
            throw .invalid(
                "The \(first.place) and the \(other.place) contradict each other; send one of them, or the same in "
                    + "both.",
                param: name
            )
        }
        return first.value
    }

    private static let wanted = "must be a number of milliseconds from 1 to 86400000 (a day)"

    /// Digits, with or without a fraction. No sign, exponent, `inf` or hexadecimal: `Double` would take those too.
    private static func decimal(_ text: String) -> Double? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let areDigits = parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } }
        return (1...2).contains(parts.count) && areDigits ? Double(text) : nil
    }

    /// `800`, `12.5`.
    static func text(_ milliseconds: Double) -> String {
        Int(exactly: milliseconds).map { String($0) } ?? String(milliseconds)
    }
}

/// What a request's headers say about its latency budget, as they came.
struct BudgetHeaders: Sendable, Hashable {
    struct Field: Sendable, Hashable {
        var name: String
        var value: String

        /// For an error message.
        var place: String { "header '\(name): \(value)'" }
    }

    /// `X-Latency-Budget-Ms`
    var whole: [Field] = []
    /// `X-SLO-TTFT-Ms`
    var firstToken: [Field] = []
    /// `X-SLO-TPOT-Ms`
    var perToken: [Field] = []
    /// `X-Best-Effort`
    var bestEffort: [Field] = []

    init() {}

    init(_ headers: HTTPHeaders) {
        whole = Self.fields("X-Latency-Budget-Ms", headers)
        firstToken = Self.fields("X-SLO-TTFT-Ms", headers)
        perToken = Self.fields("X-SLO-TPOT-Ms", headers)
        bestEffort = Self.fields("X-Best-Effort", headers)
    }

    /// Each header has a second name, with the prefix that inference gateways use: `x-llm-d-slo-ttft-ms`.
    private static func fields(_ name: String, _ headers: HTTPHeaders) -> [Field] {
        [name, "x-llm-d-" + name.dropFirst(2).lowercased()].flatMap { name in
            headers.values(name).map { Field(name: name, value: $0) }
        }
    }
}
