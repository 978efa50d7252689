/// What a client demands of a request's latency, in seconds; nil where it demands nothing.
package struct LatencyLimits: Sendable, Hashable {
    /// From the scheduled arrival to the last token.
    package var total: Double?
    /// From the scheduled arrival to the first token.
    package var firstToken: Double?
    /// For every token after the first, on average.
    package var perToken: Double?

    package init(total: Double? = nil, firstToken: Double? = nil, perToken: Double? = nil) {
        self.total = total
        self.firstToken = firstToken
        self.perToken = perToken
    }

    package var isEmpty: Bool { total == nil && firstToken == nil && perToken == nil }
}

/// How long a request takes on an idle server at full size: linear in its tokens.
package struct UnloadedTime: Sendable, Hashable {
    /// Seconds of a request beside its tokens.
    package var base: Double
    /// Seconds that a token of the prompt adds.
    package var perPromptToken: Double
    /// Seconds that a token of the answer adds.
    package var perOutputToken: Double

    package init(base: Double, perPromptToken: Double, perOutputToken: Double) {
        self.base = base
        self.perPromptToken = perPromptToken
        self.perOutputToken = perOutputToken
    }

    package func seconds(promptTokens: Int, outputTokens: Int) -> Double {
        base + perPromptToken * Double(promptTokens) + perOutputToken * Double(outputTokens)
    }
}

/// Gives each request of a workload its limits.
package struct LatencyRule: Sendable, Hashable {
    package enum Budget: Sendable, Hashable {
        /// Seconds, the same for all.
        case fixed(Double)
        /// So many times what the request would take on an idle server at full size.
        case factor(Double, of: UnloadedTime)
    }

    package var budget: Budget?
    /// Seconds, as in ``LatencyLimits``.
    package var firstToken: Double?
    package var perToken: Double?

    package init(budget: Budget? = nil, firstToken: Double? = nil, perToken: Double? = nil) {
        self.budget = budget
        self.firstToken = firstToken
        self.perToken = perToken
    }

    package func limits(of arrival: Arrival) -> LatencyLimits {
        let total: Double? =
            switch budget {
            case nil: nil
            case .fixed(let seconds): seconds
            case .factor(let factor, let time):
                // Whole milliseconds, at least one: what clients send, and so what they are held to.
                max(
                    factor * 1000
                        * time.seconds(promptTokens: arrival.promptTokens, outputTokens: arrival.outputTokens),
                    1
                ).rounded() / 1000
            }
        return LatencyLimits(total: total, firstToken: firstToken, perToken: perToken)
    }
}
