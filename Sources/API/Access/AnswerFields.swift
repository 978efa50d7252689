import Access
import HTTP1

/// Header fields that do not depend on what is answered, only on who asked and how: CORS, the trace, and how far the key is
/// from its limits when the answer begins.
struct AnswerFields: Sendable {
    /// Of CORS and the trace.
    var fixed = HTTPHeaders()
    /// The key, if it has limits per minute, and what counts for it.
    var limits: (key: AccessKey, limiter: RateLimiter)?

    var isEmpty: Bool { fixed.isEmpty && limits == nil }

    func add(to head: inout ResponseHead) {
        for (name, value) in fixed { head.headers.append(name, value) }
        guard let limits else { return }
        let levels = limits.limiter.levels(of: limits.key)
        for (name, level) in [("requests", levels.requests), ("tokens", levels.tokens)] {
            guard let level else { continue }
            head.headers.append("x-ratelimit-limit-\(name)", String(level.limit))
            head.headers.append("x-ratelimit-remaining-\(name)", String(level.remaining))
            head.headers.append("x-ratelimit-reset-\(name)", Self.text(level.reset))
        }
    }

    /// As OpenAI writes times: `820ms`, `6.5s`, `1m0s`. Rounded up.
    static func text(_ duration: Duration) -> String {
        let milliseconds = Int((duration / .milliseconds(1)).rounded(.up))
        guard milliseconds >= 1000 else { return "\(milliseconds)ms" }
        let (minutes, rest) = milliseconds.quotientAndRemainder(dividingBy: 60_000)
        let seconds = rest % 1000 == 0 ? "\(rest / 1000)" : "\(Double(rest) / 1000)"
        return minutes > 0 ? "\(minutes)m\(seconds)s" : "\(seconds)s"
    }
}
