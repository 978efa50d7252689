// What is measured of a server before it is tested.

import LoadTesting

extension LoadClient {
    /// Requests a second that the server answers when it always has enough of them: output tokens that came while it was
    /// saturated, over the mean length of an answer. Counting tokens and not answers keeps the figure free of the waves in
    /// which answers of equal length end.
    ///
    /// - Parameters:
    ///   - seconds: how long, the first fifth of which is not counted.
    /// - Throws: when nothing was answered, with the reason.
    package func measureCapacity(
        _ workload: Workload,
        concurrency: Int,
        seconds: Double,
        observe: Observer = { _ in true }
    ) throws(ClientError) -> Double {
        let run = try saturate(
            workload.arrivals,
            concurrency: concurrency,
            until: .seconds(seconds),
            observe: observe
        )
        return try Self.capacity(run, meanOutputTokens: workload.meanOutputTokens)
    }

    static func capacity(_ run: Run, meanOutputTokens: Double) throws(ClientError) -> Double {
        let completed = run.outcomes.filter { $0.status == .completed }
        let noted = completed.reduce(0) { $0 + $1.runs.reduce(0) { $0 + $1.tokens } }
        guard noted > 0, run.seconds > 0 else { throw ClientError("no request was answered: \(reason(run.outcomes))") }
        // Servers that send several tokens in a chunk count them at the end only.
        let tokensPerChunk = Double(completed.reduce(0) { $0 + $1.outputTokens }) / Double(noted)
        let timeline = ChainTimeline(run.outcomes, duration: run.seconds, bins: 10, chains: 0)
        let tokens = timeline.bins[2...].reduce(0) { $0 + $1[0] } * tokensPerChunk
        return tokens / (timeline.binSeconds * 8) / meanOutputTokens
    }

    /// How long requests take on a server that has nothing else to do: medians of one at a time, for short and long prompts
    /// and answers of the workload.
    package func measureUnloadedTime(
        _ workload: Workload,
        repeats: Int = 5,
        observe: Observer = { _ in true }
    ) throws(ClientError) -> UnloadedTime {
        func ends(_ lengths: [Int]) -> (low: Int, high: Int) {
            let sorted = lengths.sorted()
            return (sorted[sorted.count / 20], sorted[sorted.count - 1 - sorted.count / 20])
        }
        let prompt = ends(workload.arrivals.map(\.promptTokens))
        let output = ends(workload.arrivals.map(\.outputTokens))
        func time(_ promptTokens: Int, _ outputTokens: Int) throws(ClientError) -> Double {
            let arrival = Arrival(time: 0, promptTokens: promptTokens, outputTokens: outputTokens)
            let run = try saturate([arrival], concurrency: 1, until: .requests(repeats), observe: observe)
            let times = Percentiles(run.outcomes.filter { $0.status == .completed }.compactMap(\.endToEnd))
            guard let median = times[0.5] else {
                throw ClientError("the unloaded server did not answer: \(Self.reason(run.outcomes))")
            }
            return median
        }
        let long = try time(prompt.high, output.high)
        let perPromptToken =
            prompt.low < prompt.high
            ? (long - (try time(prompt.low, output.high))) / Double(prompt.high - prompt.low) : 0
        let perOutputToken =
            output.low < output.high
            ? (long - (try time(prompt.high, output.low))) / Double(output.high - output.low) : 0
        return UnloadedTime(
            through: long,
            promptTokens: prompt.high,
            outputTokens: output.high,
            perPromptToken: max(perPromptToken, 0),
            perOutputToken: max(perOutputToken, 0)
        )
    }

    /// Tokens that the server's tokenizer makes of a word of ``PromptSource``; 1 where the server does not count.
    package func measureTokensPerWord(seed: UInt64) throws(ClientError) -> Double {
        var client = self
        client.template.prompts = .words(tokensPerWord: 1, seed: seed)
        client.template.sessions = 0
        let words = 128
        let arrival = Arrival(time: 0, promptTokens: words, outputTokens: 1)
        let run = try client.saturate([arrival], concurrency: 1, until: .requests(1))
        guard let outcome = run.outcomes.first, outcome.status == .completed else {
            throw ClientError("\(target.url) does not answer a completion: \(Self.reason(run.outcomes))")
        }
        return max(Double(outcome.promptTokens) / Double(words), 0.1)
    }

    /// What the first outcome that did not complete says.
    private static func reason(_ outcomes: [RequestOutcome]) -> String {
        for outcome in outcomes {
            switch outcome.status {
            case .failed(let text): return text
            case .rejected(let status, let code): return code.map { "\(status) \($0)" } ?? "\(status)"
            case .cut: return "answers are cut at their deadline"
            case .completed, .unfinished: continue
            }
        }
        return "there was no answer in time"
    }
}

extension UnloadedTime {
    /// The line through one measured point.
    fileprivate init(
        through seconds: Double,
        promptTokens: Int,
        outputTokens: Int,
        perPromptToken: Double,
        perOutputToken: Double
    ) {
        let tokens = perPromptToken * Double(promptTokens) + perOutputToken * Double(outputTokens)
        // No request takes less than nothing: where noise says so, the tokens share what was measured.
        let share = tokens > seconds ? seconds / tokens : 1
        self.init(
            base: seconds - share * tokens,
            perPromptToken: share * perPromptToken,
            perOutputToken: share * perOutputToken
        )
    }
}
