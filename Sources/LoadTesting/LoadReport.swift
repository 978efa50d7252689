/// What a load test found: plain values, computed from what became of each request.
package struct LoadReport: Sendable {
    /// Requests by what became of them.
    package struct Counts: Sendable, Hashable {
        package var requests = 0
        package var completed = 0
        /// Cut by the server at their deadline.
        package var cut = 0
        package var rejected = 0
        package var failed = 0
        /// Running or still to come when the test was stopped.
        package var unfinished = 0
        /// Completed within all their limits.
        package var met = 0
        /// Completed, cut, rejected, failed, and of the unfinished those that had broken a limit.
        package var judged = 0
        /// Completed with fewer tokens than planned: the server ended the answer by itself.
        package var short = 0
    }

    /// A kind of refusal or failure, with the number of requests.
    package struct Cause: Sendable, Hashable {
        package var name: String
        package var requests: Int
    }

    /// What the test was, for titles: the server's URL, or the policy that was simulated.
    package var title: String
    package let outcomes: [RequestOutcome]
    /// Seconds of arrivals that were planned.
    package let plannedDuration: Double
    /// Seconds from the start to the last request's end; at least the planned duration, unless the test was stopped.
    package let duration: Double
    /// Of the largest size that was heard of; 0 if the server tells nothing of chains.
    package let chains: Int
    package let counts: Counts
    /// Refusals by status and code, most frequent first.
    package let rejections: [Cause]
    /// Failures by their text, most frequent first.
    package let failures: [Cause]
    /// Judged requests that broke a limit, by limit. One request may have broken several.
    package let broken: [RequestOutcome.Limit: Int]
    /// Requests a second: how many came over the planned duration.
    package let offeredRate: Double
    /// Tokens of all answers.
    package let outputTokens: Int
    /// Prompt tokens of completed requests, and those that were not computed again.
    package let promptTokens: Int
    package let cachedTokens: Int
    /// `chainTokens[k - 1]`: tokens of `k` chains.
    package let chainTokens: [Int]
    package let timeToFirstToken: Percentiles
    package let timePerToken: Percentiles
    package let endToEnd: Percentiles
    /// How much later than scheduled the client sent requests: large values mean that the client was the bottleneck.
    package let lag: Percentiles
    package let timeline: ChainTimeline

    /// - Parameters:
    ///   - duration: seconds of arrivals that were planned.
    ///   - stopped: when the test was stopped before its end; nil if it was not.
    package init(
        title: String,
        outcomes: [RequestOutcome],
        duration plannedDuration: Double,
        stopped: Double? = nil,
        bins: Int = 60
    ) {
        self.title = title
        self.outcomes = outcomes
        self.plannedDuration = plannedDuration
        let ends = outcomes.reduce(0) { max($0, $1.end) }
        duration = stopped ?? max(plannedDuration, ends)
        chains = outcomes.reduce(0) { most, outcome in
            max(most, outcome.chainTokens.count, outcome.runs.reduce(0) { max($0, $1.chains) })
        }
        counts = Self.count(outcomes)
        rejections = Self.causes(outcomes) {
            guard case .rejected(let status, let code) = $0.status else { return nil }
            return code.map { "\(status) \($0)" } ?? "\(status)"
        }
        failures = Self.causes(outcomes) {
            guard case .failed(let text) = $0.status else { return nil }
            return text
        }
        var broken: [RequestOutcome.Limit: Int] = [:]
        for outcome in outcomes where outcome.isMet == false {
            for limit in outcome.brokenLimits { broken[limit, default: 0] += 1 }
        }
        self.broken = broken
        offeredRate = plannedDuration > 0 ? Double(outcomes.count) / plannedDuration : 0
        outputTokens = outcomes.reduce(0) { $0 + $1.outputTokens }
        let completed = outcomes.filter { $0.status == .completed }
        promptTokens = completed.reduce(0) { $0 + $1.promptTokens }
        cachedTokens = completed.reduce(0) { $0 + $1.cachedTokens }
        chainTokens = Self.chainTokens(outcomes, chains: chains)
        timeToFirstToken = Percentiles(outcomes.compactMap(\.timeToFirstToken))
        timePerToken = Percentiles(outcomes.compactMap(\.timePerToken))
        endToEnd = Percentiles(outcomes.compactMap(\.endToEnd))
        lag = Percentiles(outcomes.compactMap { outcome in outcome.sent.map { $0 - outcome.scheduled } })
        timeline = ChainTimeline(outcomes, duration: duration, bins: bins, chains: chains)
    }

    // MARK: Figures

    /// Share of the judged requests that met all their limits; nil without any.
    package var attainment: Double? { counts.judged > 0 ? Double(counts.met) / Double(counts.judged) : nil }

    /// Requests a second that met all their limits.
    package var goodput: Double { rate(counts.met) }

    /// Requests a second that completed.
    package var completedRate: Double { rate(counts.completed) }

    /// Tokens a second, of all requests together.
    package var tokenRate: Double { rate(outputTokens) }

    /// Chain count over all tokens whose count is known; nil without any.
    package var meanChains: Double? {
        let tokens = chainTokens.reduce(0, +)
        guard tokens > 0 else { return nil }
        return Double(chainTokens.enumerated().reduce(0) { $0 + ($1.offset + 1) * $1.element }) / Double(tokens)
    }

    private func rate(_ count: Int) -> Double { duration > 0 ? Double(count) / duration : 0 }

    // MARK: Counting

    private static func count(_ outcomes: [RequestOutcome]) -> Counts {
        var counts = Counts()
        counts.requests = outcomes.count
        for outcome in outcomes {
            switch outcome.status {
            case .completed: counts.completed += 1
            case .cut: counts.cut += 1
            case .rejected: counts.rejected += 1
            case .failed: counts.failed += 1
            case .unfinished: counts.unfinished += 1
            }
            if outcome.isMet == true { counts.met += 1 }
            if outcome.isMet != nil { counts.judged += 1 }
            if outcome.status == .completed && outcome.outputTokens < outcome.plannedTokens { counts.short += 1 }
        }
        return counts
    }

    private static func causes(_ outcomes: [RequestOutcome], _ name: (RequestOutcome) -> String?) -> [Cause] {
        var requests: [String: Int] = [:]
        for outcome in outcomes {
            if let name = name(outcome) { requests[name, default: 0] += 1 }
        }
        return requests.map { Cause(name: $0.key, requests: $0.value) }
            .sorted { ($1.requests, $0.name) < ($0.requests, $1.name) }
    }

    /// By the server's counts where it gives them, else by what the chunks said.
    private static func chainTokens(_ outcomes: [RequestOutcome], chains: Int) -> [Int] {
        var tokens = Array(repeating: 0, count: chains)
        for outcome in outcomes {
            if outcome.chainTokens.isEmpty {
                for run in outcome.runs where run.chains > 0 { tokens[run.chains - 1] += run.tokens }
            } else {
                for (index, count) in outcome.chainTokens.enumerated() { tokens[index] += count }
            }
        }
        return tokens
    }
}
