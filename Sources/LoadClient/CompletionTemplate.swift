import JSON
import LoadTesting

/// Makes the bytes of completion requests: what all of them have in common, and what each adds.
package struct CompletionTemplate: Sendable {
    /// The model's name; nil to leave the field out.
    package var model: String?
    package var apiKey: String?
    /// The value of `X-Chains`; nil to leave it to the server.
    package var chains: String?
    /// Whether the server is asked to go on past the end of text, so that answers have the planned length.
    package var ignoresEnd = true
    package var temperature = 0.0
    package var prompts: PromptSource
    /// Sessions among which requests are dealt out in turn; 0 for none.
    package var sessions = 0
    /// Sets the sessions of one test apart from those of another.
    package var sessionPrefix = "loadtest"

    package init(prompts: PromptSource) { self.prompts = prompts }

    /// The request as bytes.
    /// - Parameter index: which of the workload's requests; requests of one session begin alike, others do not.
    func request(_ index: Int, _ outcome: RequestOutcome, to target: Target) -> [UInt8] {
        let session = sessions > 0 ? index % sessions : nil
        let body = body(outcome, text: session ?? index)
        var head = "POST \(target.basePath)/completions HTTP/1.1\r\nHost: \(target.authority)\r\n"
        head += "User-Agent: catena-loadtest\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n"
        head += "Content-Length: \(body.count)\r\n"
        if let apiKey { head += "Authorization: Bearer \(apiKey)\r\n" }
        if let chains { head += "X-Chains: \(chains)\r\n" }
        if let session { head += "X-Session-Id: \(sessionPrefix)-\(session)\r\n" }
        if let total = outcome.limits.total { head += "X-Latency-Budget-Ms: \(Self.milliseconds(total))\r\n" }
        if let limit = outcome.limits.firstToken { head += "X-SLO-TTFT-Ms: \(Self.milliseconds(limit))\r\n" }
        if let limit = outcome.limits.perToken { head += "X-SLO-TPOT-Ms: \(Self.milliseconds(limit))\r\n" }
        return Array((head + "\r\n").utf8) + body
    }

    private func body(_ outcome: RequestOutcome, text index: Int) -> [UInt8] {
        var json = JSONWriter(reserving: 256 + outcome.promptTokens * 8)
        json.raw("{")
        if let model {
            json.raw("\"model\":")
            json.string(model)
            json.raw(",")
        }
        json.raw("\"prompt\":")
        prompts.write(index, tokens: outcome.promptTokens, to: &json)
        json.raw(",\"max_tokens\":")
        json.integer(outcome.plannedTokens)
        json.raw(",\"temperature\":")
        json.number(temperature)
        json.raw(",\"stream\":true,\"stream_options\":{\"include_usage\":true}")
        if ignoresEnd { json.raw(",\"ignore_eos\":true") }
        json.raw("}")
        return json.bytes
    }

    /// Whole where it is whole: `800`, `2.5`.
    private static func milliseconds(_ seconds: Double) -> String {
        let value = (seconds * 1e6).rounded() / 1e3
        return value == value.rounded() && value < 1e15 ? "\(Int(value))" : "\(value)"
    }
}
