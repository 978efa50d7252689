@testable import LoadTesting

extension RequestOutcome {
    /// A request whose tokens come at even intervals.
    static func completed(
        at scheduled: Double,
        first: Double,
        end: Double,
        tokens: Int,
        chains: [Int] = [1],
        limits: LatencyLimits = LatencyLimits()
    ) -> RequestOutcome {
        var outcome = RequestOutcome(
            Arrival(time: scheduled, promptTokens: 10, outputTokens: tokens),
            limits: limits
        )
        outcome.sent = scheduled
        for token in 0..<tokens {
            let time = tokens > 1 ? first + (end - first) * Double(token) / Double(tokens - 1) : end
            outcome.note(tokens: 1, chains: chains[token * chains.count / tokens], at: time)
        }
        outcome.status = .completed
        return outcome
    }

    static func ended(at scheduled: Double, end: Double, _ status: Status, limits: LatencyLimits = LatencyLimits())
        -> RequestOutcome
    {
        var outcome = RequestOutcome(Arrival(time: scheduled, promptTokens: 10, outputTokens: 5), limits: limits)
        outcome.sent = scheduled
        outcome.end = end
        outcome.status = status
        return outcome
    }
}
