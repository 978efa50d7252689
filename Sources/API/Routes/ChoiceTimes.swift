import Core
import Metrics

/// When the tokens of one choice came, and what became of its latency budget: what the metrics are told about it.
///
/// Times are those at which the API has the token, so what the engine's threads hand over late counts as late. A value
/// with the clock passed in.
struct ChoiceTimes: Sendable {
    private let arrival: ContinuousClock.Instant
    private var budget: LatencyBudget
    /// Where the budget's times count from: the arrival, or that of the change that set it.
    private var budgetStart: ContinuousClock.Instant
    /// Whether the budget was set before the first token, so that its limit for that can be judged.
    private var judgesFirstToken = true
    private(set) var firstToken: ContinuousClock.Instant?
    private var lastToken: ContinuousClock.Instant?
    private var tokens = 0
    private var chains: Int?
    /// The pace since the budget was set: where it counts from, and the tokens since. The first token itself is not pace.
    private var paceStart: ContinuousClock.Instant?
    private var paceTokens = 0

    init(arrival: ContinuousClock.Instant, budget: LatencyBudget) {
        self.arrival = arrival
        self.budget = budget
        budgetStart = arrival
    }

    /// A new budget, in place of the former one.
    mutating func setBudget(_ budget: LatencyBudget, at received: ContinuousClock.Instant) {
        self.budget = budget
        budgetStart = received
        judgesFirstToken = tokens == 0
        paceStart = tokens == 0 ? nil : received
        paceTokens = 0
    }

    /// Tokens came, computed by these chain counts.
    mutating func take(_ sizes: [Int], at now: ContinuousClock.Instant, _ metrics: RequestMetrics) {
        guard !sizes.isEmpty else { return }
        var gaps = sizes.count
        if firstToken == nil {
            firstToken = now
            gaps -= 1
            if paceStart == nil { paceStart = now }
            metrics.timeToFirstToken.record(now - arrival)
        }
        if gaps > 0 {
            // Tokens that come together share the time since the last one.
            metrics.interTokenLatency.record((now - (lastToken ?? now)) / gaps, times: gaps)
            paceTokens += gaps
        }
        for size in sizes {
            metrics.countToken(chains: size)
            if let chains, size > chains { metrics.chainsRaised.add() }
            if let chains, size < chains { metrics.chainsLowered.add() }
            chains = size
        }
        tokens += sizes.count
        lastToken = now
    }

    /// The choice is complete.
    func end(_ reason: FinishReason, at now: ContinuousClock.Instant, _ metrics: RequestMetrics) {
        metrics.duration.record(now - arrival)
        if let firstToken, let lastToken, tokens > 1 {
            metrics.timePerOutputToken.record((lastToken - firstToken) / (tokens - 1))
        }
        if let whole = budget.whole {
            metrics.count(.whole, isMet: reason != .deadline && now - budgetStart <= whole)
        }
        if let limit = budget.firstToken, judgesFirstToken {
            if let firstToken {
                metrics.count(.firstToken, isMet: firstToken - budgetStart <= limit)
            } else if reason == .deadline {
                metrics.count(.firstToken, isMet: false)
            }
        }
        if let limit = budget.perToken, let lastToken, let paceStart, paceTokens > 0 {
            metrics.count(.perToken, isMet: lastToken - paceStart <= limit * paceTokens)
        }
    }
}
