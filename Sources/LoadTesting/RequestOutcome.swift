/// What became of one request. All times are seconds from the start of the load.
package struct RequestOutcome: Sendable, Hashable {
    package enum Status: Sendable, Hashable {
        /// The answer came whole.
        case completed
        /// The server cut the answer at its deadline and said so (`"stop_reason": "deadline"`).
        case cut
        /// The server refused it: an HTTP status (503 or 429 mostly), with the error's code if it had one.
        case rejected(status: Int, code: String?)
        /// Anything else: what went wrong.
        case failed(String)
        /// The test was stopped before its end.
        case unfinished
    }

    /// Consecutive tokens of one chain count.
    package struct Run: Sendable, Hashable {
        /// 0 where the server does not tell.
        package var chains: Int
        package var tokens: Int
        /// When the first and the last of them came.
        package var start: Double
        package var end: Double
    }

    /// When the workload has it, whatever the client was doing then: latencies count from here.
    package var scheduled: Double
    /// What the workload asked for.
    package var promptTokens: Int
    package var plannedTokens: Int
    package var limits: LatencyLimits
    /// When the client sent it; nil if it never did.
    package var sent: Double?
    package private(set) var firstToken: Double?
    /// When the last token of a whole answer came; else when the request's end was known.
    package var end: Double
    package var status: Status
    /// Tokens that came.
    package var outputTokens = 0
    /// Prompt tokens that the server did not compute again.
    package var cachedTokens = 0
    /// `chainTokens[k - 1]`: tokens of `k` chains, as the server counts them; empty where it does not.
    package var chainTokens: [Int] = []
    /// The answer over time.
    package private(set) var runs: [Run] = []

    /// A request that is not sent yet.
    package init(_ arrival: Arrival, limits: LatencyLimits) {
        scheduled = arrival.time
        promptTokens = arrival.promptTokens
        plannedTokens = arrival.outputTokens
        self.limits = limits
        end = arrival.time
        status = .unfinished
    }

    /// Notes tokens that came. Counts them too: a server's own count may replace ``outputTokens`` at the end.
    /// - Parameter chains: 0 if unknown.
    package mutating func note(tokens: Int, chains: Int, at time: Double) {
        if firstToken == nil { firstToken = time }
        end = time
        outputTokens += tokens
        if let last = runs.last, last.chains == chains {
            runs[runs.count - 1].tokens += tokens
            runs[runs.count - 1].end = time
        } else {
            runs.append(Run(chains: chains, tokens: tokens, start: time, end: time))
        }
    }

    // MARK: Latencies, in seconds

    /// Time to first token, from the scheduled arrival.
    package var timeToFirstToken: Double? { firstToken.map { $0 - scheduled } }

    /// Of an answer that came whole or was cut, from the scheduled arrival.
    package var endToEnd: Double? { status == .completed || status == .cut ? end - scheduled : nil }

    /// Time per output token after the first: (E2E - TTFT) / (tokens - 1). Nil for answers of less than two tokens.
    package var timePerToken: Double? {
        guard let endToEnd, let timeToFirstToken, outputTokens > 1 else { return nil }
        return (endToEnd - timeToFirstToken) / Double(outputTokens - 1)
    }

    // MARK: Judgement

    /// A limit that a request did not keep.
    package enum Limit: Sendable, Hashable, CaseIterable {
        case total, firstToken, perToken
    }

    /// The limits that were broken, by what is known of the request's times.
    package var brokenLimits: Set<Limit> {
        var broken: Set<Limit> = []
        if let total = limits.total, end - scheduled > total { broken.insert(.total) }
        if let limit = limits.firstToken, (timeToFirstToken ?? end - scheduled) > limit { broken.insert(.firstToken) }
        if let limit = limits.perToken, let time = timePerToken, time > limit { broken.insert(.perToken) }
        return broken
    }

    /// Whether the answer came whole and within all limits. A request that was cut, refused or failed is a miss; one that
    /// was stopped with the test is a miss only if it had broken a limit by then, and is not judged (nil) otherwise.
    package var isMet: Bool? {
        switch status {
        case .completed: brokenLimits.isEmpty
        case .cut, .rejected, .failed: false
        case .unfinished: brokenLimits.isEmpty ? nil : false
        }
    }
}
