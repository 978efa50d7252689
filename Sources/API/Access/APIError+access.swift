import Access

/// What keys and their limits refuse.
extension APIError {
    private static let howToShow = "send 'Authorization: Bearer KEY' or 'X-Api-Key: KEY'"

    static let missingKey = unauthorized("This server needs a key; \(howToShow).")
    static let wrongKey = unauthorized("The key is not one of this server's. Ask its operator for one; \(howToShow).")
    static let unclearKey = unauthorized("The request must show one key; \(howToShow), once.")

    private static func unauthorized(_ message: String) -> APIError {
        APIError(status: 401, message: message, type: "invalid_request_error", code: "invalid_api_key")
    }

    static func chainsNotAllowed(_ asked: String, most: Int, key: String) -> APIError {
        APIError(
            status: 403,
            message: "The key '\(key)' allows at most \(most) chains; the request asks for \(asked). Ask for fewer, or "
                + "for \"auto\".",
            type: "invalid_request_error",
            param: "chains",
            code: "chains_not_allowed"
        )
    }

    /// 429, as OpenAI's answers say it: the type names the limit.
    init(_ limit: LimitReached) {
        let (type, message, wait): (String, String, Duration?) =
            switch limit {
            case .requests(let limit, let wait):
                ("requests", "This key may send \(limit) requests a minute.", wait)
            case .tokens(let limit, let asked, let wait):
                (
                    "tokens",
                    "This key may use \(limit) tokens a minute, of prompts and answers; this request may take \(asked), "
                        + "more than are left now. Lower max_tokens, or try again later.",
                    wait
                )
            case .tooManyTokens(let limit, let asked):
                (
                    "tokens",
                    "This key may use \(limit) tokens a minute, of prompts and answers; this request alone may take "
                        + "\(asked). Shorten the prompt or lower max_tokens.",
                    nil
                )
            case .concurrent(let limit):
                ("requests", "This key may have \(limit) completions at a time.", .seconds(1))
            }
        self.init(
            status: 429,
            message: message,
            type: type,
            code: "rate_limit_exceeded",
            retryAfter: wait.map { $0 / .seconds(1) },
            isWorthRetrying: wait != nil
        )
    }
}
