// The report for programs: one JSON object; seconds and rates in plain units, shares from 0 to 1.

import JSON

extension LoadReport {
    /// One object, ended by a line feed. What is not known is null.
    /// - Parameter includingRequests: whether `requests` lists every request.
    package func json(includingRequests: Bool) -> [UInt8] {
        var json = JSONWriter(reserving: includingRequests ? 4096 + outcomes.count * 256 : 1 << 14)
        json.raw("{\"title\":")
        json.string(title)
        json.raw(",\"planned_seconds\":")
        json.number(plannedDuration)
        json.raw(",\"seconds\":")
        json.number(duration)
        json.raw(",\"counts\":")
        counts.write(to: &json)
        json.raw(",\"attainment\":")
        json.number(attainment)
        json.raw(",\"goodput\":")
        json.number(goodput)
        json.raw(",\"offered_rate\":")
        json.number(offeredRate)
        json.raw(",\"completed_rate\":")
        json.number(completedRate)
        json.raw(",\"tokens_per_second\":")
        json.number(tokenRate)
        json.raw(",\"output_tokens\":")
        json.integer(outputTokens)
        json.raw(",\"prompt_tokens\":")
        json.integer(promptTokens)
        json.raw(",\"cached_tokens\":")
        json.integer(cachedTokens)
        json.raw(",\"mean_chains\":")
        json.number(meanChains)
        json.raw(",\"chain_tokens\":")
        json.integers(chainTokens)
        json.raw(",\"broken\":{\"total\":")
        json.integer(broken[.total] ?? 0)
        json.raw(",\"ttft\":")
        json.integer(broken[.firstToken] ?? 0)
        json.raw(",\"tpot\":")
        json.integer(broken[.perToken] ?? 0)
        json.raw("},\"rejections\":")
        json.causes(rejections)
        json.raw(",\"failures\":")
        json.causes(failures)
        json.raw(",\"latency\":{\"ttft\":")
        timeToFirstToken.write(to: &json)
        json.raw(",\"tpot\":")
        timePerToken.write(to: &json)
        json.raw(",\"e2e\":")
        endToEnd.write(to: &json)
        json.raw(",\"lag\":")
        lag.write(to: &json)
        json.raw("},\"timeline\":")
        timeline.write(to: &json)
        if includingRequests {
            json.raw(",\"requests\":[")
            for (index, outcome) in outcomes.enumerated() {
                json.separator(before: index)
                outcome.write(to: &json)
            }
            json.raw("]")
        }
        json.raw("}\n")
        return json.bytes
    }
}

// MARK: The parts

extension LoadReport.Counts {
    fileprivate func write(to json: inout JSONWriter) {
        let members: [(StaticString, Int)] = [
            ("{\"requests\":", requests), (",\"completed\":", completed), (",\"cut\":", cut),
            (",\"rejected\":", rejected), (",\"failed\":", failed), (",\"unfinished\":", unfinished),
            (",\"met\":", met),
            (",\"judged\":", judged), (",\"short\":", short),
        ]
        for (name, count) in members {
            json.raw(name)
            json.integer(count)
        }
        json.raw("}")
    }
}

extension Percentiles {
    fileprivate func write(to json: inout JSONWriter) {
        json.raw("{\"count\":")
        json.integer(count)
        json.raw(",\"mean\":")
        json.number(mean)
        for (name, share) in Self.shown {
            json.raw(",\"")
            json.raw(name)
            json.raw("\":")
            json.number(self[share])
        }
        json.raw("}")
    }
}

extension ChainTimeline {
    fileprivate func write(to json: inout JSONWriter) {
        json.raw("{\"bin_seconds\":")
        json.number(binSeconds)
        // As in memory: the first count is of tokens whose chains are unknown.
        json.raw(",\"tokens\":[")
        for (index, bin) in bins.enumerated() {
            json.separator(before: index)
            json.raw("[")
            for (chains, tokens) in bin.enumerated() {
                json.separator(before: chains)
                json.number(tokens)
            }
            json.raw("]")
        }
        json.raw("]}")
    }
}

extension RequestOutcome {
    fileprivate func write(to json: inout JSONWriter) {
        json.raw("{\"scheduled\":")
        json.number(scheduled)
        json.raw(",\"sent\":")
        json.number(sent)
        json.raw(",\"first_token\":")
        json.number(firstToken)
        json.raw(",\"end\":")
        json.number(end)
        json.raw(",\"status\":")
        writeStatus(to: &json)
        json.raw(",\"met\":")
        if let isMet { json.bool(isMet) } else { json.raw("null") }
        json.raw(",\"budget\":")
        json.number(limits.total)
        json.raw(",\"ttft_limit\":")
        json.number(limits.firstToken)
        json.raw(",\"tpot_limit\":")
        json.number(limits.perToken)
        json.raw(",\"prompt_tokens\":")
        json.integer(promptTokens)
        json.raw(",\"cached_tokens\":")
        json.integer(cachedTokens)
        json.raw(",\"planned_tokens\":")
        json.integer(plannedTokens)
        json.raw(",\"output_tokens\":")
        json.integer(outputTokens)
        json.raw(",\"chain_tokens\":")
        json.integers(chainTokens)
        json.raw(",\"runs\":[")
        for (index, run) in runs.enumerated() {
            json.separator(before: index)
            json.raw("{\"chains\":")
            json.integer(run.chains)
            json.raw(",\"tokens\":")
            json.integer(run.tokens)
            json.raw(",\"start\":")
            json.number(run.start)
            json.raw(",\"end\":")
            json.number(run.end)
            json.raw("}")
        }
        json.raw("]}")
    }

    /// A word, and for refusals and failures what was said in `error`.
    private func writeStatus(to json: inout JSONWriter) {
        switch status {
        case .completed: json.raw("\"completed\"")
        case .cut: json.raw("\"cut\"")
        case .unfinished: json.raw("\"unfinished\"")
        case .rejected(let status, let code):
            json.raw("\"rejected\",\"http_status\":")
            json.integer(status)
            json.raw(",\"error\":")
            json.string(code)
        case .failed(let text):
            json.raw("\"failed\",\"error\":")
            json.string(text)
        }
    }
}

extension JSONWriter {
    fileprivate mutating func number(_ value: Double?) {
        if let value { number(value) } else { raw("null") }
    }

    fileprivate mutating func integers(_ values: [Int]) {
        raw("[")
        for (index, value) in values.enumerated() {
            separator(before: index)
            integer(value)
        }
        raw("]")
    }

    fileprivate mutating func causes(_ causes: [LoadReport.Cause]) {
        raw("[")
        for (index, cause) in causes.enumerated() {
            separator(before: index)
            raw("{\"name\":")
            string(cause.name)
            raw(",\"requests\":")
            integer(cause.requests)
            raw("}")
        }
        raw("]")
    }
}
