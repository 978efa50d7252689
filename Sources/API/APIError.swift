import Core
import HTTP1
import JSON

/// A request that gets no answer, as OpenAI's clients expect it: a status and
/// `{"error":{"message","type","param","code"}}`, all four keys always there.
public struct APIError: Error, Sendable, Hashable {
    /// The HTTP status, 400...599.
    public var status: Int
    /// What was wrong, where, and what would be right. One or more sentences.
    public var message: String
    /// The family of errors: the client library picks its exception by status, people by this.
    public var type: String
    /// The request's field at fault, or nil.
    public var param: String?
    /// A word for programs, or nil.
    public var code: String?
    /// Seconds after which trying again makes sense: `Retry-After` and `retry-after-ms`.
    public var retryAfter: Double?
    /// False where the same request would fail again although the status says otherwise: `x-should-retry: false`,
    /// which OpenAI's clients follow.
    public var isWorthRetrying: Bool
    /// The methods of `Allow`, for 405.
    public var allow: [String]

    public init(
        status: Int,
        message: String,
        type: String,
        param: String? = nil,
        code: String? = nil,
        retryAfter: Double? = nil,
        isWorthRetrying: Bool = true,
        allow: [String] = []
    ) {
        self.status = status
        self.message = message
        self.type = type
        self.param = param
        self.code = code
        self.retryAfter = retryAfter
        self.isWorthRetrying = isWorthRetrying
        self.allow = allow
    }

    /// The error object, as the body of an answer or the data of an event.
    public var body: [UInt8] {
        var json = JSONWriter()
        json.raw("{\"error\":{\"message\":")
        json.string(message)
        json.raw(",\"type\":")
        json.string(type)
        json.raw(",\"param\":")
        json.string(param)
        json.raw(",\"code\":")
        json.string(code)
        json.raw("}}")
        return json.bytes
    }

    /// `retryAfter` as clients will follow it: they give up on more than two minutes, and a wait of 0 is a busy loop.
    var retryDelay: (seconds: Int, milliseconds: Int)? {
        guard let retryAfter, !retryAfter.isNaN else { return nil }
        let bounded = min(max(retryAfter, 0.001), 120)
        return (seconds: max(1, Int(bounded.rounded(.up))), milliseconds: Int((bounded * 1000).rounded(.up)))
    }
}

extension APIError {
    /// What the transport refuses.
    init(_ fault: Fault) {
        let type = fault.status.code < 500 ? "invalid_request_error" : "server_error"
        self.init(status: fault.status.code, message: fault.message, type: type)
    }

    /// 400: the request cannot be run as it stands.
    static func invalid(_ message: String, param: String? = nil, code: String? = nil) -> APIError {
        APIError(status: 400, message: message, type: "invalid_request_error", param: param, code: code)
    }

    /// 400: a field that would change the answer and that this server cannot honour. An answer that silently ignores it would
    /// be a wrong one.
    static func unsupported(_ param: String, _ found: JSONValue) -> APIError {
        .invalid(
            "'\(param)' is not supported by Catena; leave it out or give null. Got \(found.found).",
            param: param,
            code: "unsupported_parameter"
        )
    }

    static func unknownPath(_ method: String, _ path: String) -> APIError {
        APIError(
            status: 404,
            message: "There is nothing at \(method) \(quoted(path)).",
            type: "invalid_request_error",
            code: "unknown_url"
        )
    }

    static func wrongMethod(_ method: String, _ path: String, allow: [String]) -> APIError {
        APIError(
            status: 405,
            message: "\(method) is not supported for \(path); use \(allow.joined(separator: ", ")).",
            type: "invalid_request_error",
            code: "method_not_supported",
            allow: allow
        )
    }

    static func wrongContentType(_ found: String?) -> APIError {
        let got = found.map { "got \(quoted($0))" } ?? "there is none"
        return APIError(
            status: 415,
            message: "The header 'Content-Type' must be application/json; \(got).",
            type: "invalid_request_error",
            code: "unsupported_media_type"
        )
    }

    static func unknownModel(_ name: String, served: ServedModel) -> APIError {
        APIError(
            status: 404,
            message: "The model \(quoted(name)) does not exist; this server has \"\(served.name)\" and its "
                + "sizes \"\(served.name):1\" to \"\(served.name):\(served.chains)\".",
            type: "invalid_request_error",
            param: "model",
            code: "model_not_found"
        )
    }

    static func unknownRequest(_ id: String) -> APIError {
        APIError(
            status: 404,
            message: "No request \(quoted(id)) is running; give the id of a completion ('id' of its chunks, header "
                + "'X-Completion-Id') or the 'X-Request-Id' it was sent with. It may have ended.",
            type: "invalid_request_error",
            code: "request_not_found"
        )
    }

    static func ambiguousRequest(_ id: String, count: Int) -> APIError {
        APIError(
            status: 409,
            message: "\(count) running requests have the X-Request-Id \(quoted(id)); give the completion's own id.",
            type: "invalid_request_error",
            code: "request_ambiguous",
            isWorthRetrying: false
        )
    }

    static func unknownSession(_ id: String) -> APIError {
        APIError(
            status: 404,
            message: "There is no session \(quoted(id)); GET /v1/sessions lists those that are kept.",
            type: "invalid_request_error",
            code: "session_not_found"
        )
    }

    /// 499, as gateways map a cancelled call: no client library tries it again.
    static let cancelled = APIError(
        status: 499,
        message: "The request was cancelled by a DELETE of /v1/requests.",
        type: "invalid_request_error",
        code: "request_cancelled",
        isWorthRetrying: false
    )

    static let loading = APIError(
        status: 503,
        message: "The model is still loading.",
        type: "server_error",
        code: "loading",
        retryAfter: 2
    )

    static let shuttingDown = APIError(
        status: 503,
        message: "The server is shutting down and takes no more requests.",
        type: "server_error",
        code: "shutting_down",
        retryAfter: 5
    )

    /// What the engine's refusal means to a client.
    /// - Parameter budget: what the request asked for.
    init(_ failure: GenerationFailure, budget: LatencyBudget = .none) {
        switch failure {
        case .overloaded(let retryAfter):
            self.init(
                status: 503,
                message: "The server is at capacity; try again later.",
                type: "server_error",
                code: "server_is_overloaded",
                retryAfter: retryAfter
            )
        case .unattainable(let limit, let minimum):
            self.init(
                status: 503,
                message: Self.unattainable(limit, minimum: minimum, asked: budget[limit]),
                type: "server_error",
                param: limit.field,
                code: "deadline_unattainable",
                isWorthRetrying: false
            )
        case .shuttingDown:
            self = .shuttingDown
        case .tooLarge(let neededTokens, let poolTokens):
            self = .invalid(
                "Prompt and answer together need KV memory for \(neededTokens) tokens; this server has room for "
                    + "\(poolTokens). Shorten the prompt or lower max_tokens.",
                code: "context_length_exceeded"
            )
        }
    }
}

extension APIError {
    private static func unattainable(_ limit: BudgetLimit, minimum: Duration, asked: Duration?) -> String {
        let budget = asked.map { "\(text($0)) ms" } ?? "less"
        return
            "The budget cannot be met: \(limit.meaning) takes at least \(text(minimum)) ms with one chain on an idle "
            + "server, and '\(limit.field)' is \(budget). Raise it, or ask for best effort ('best_effort': true)."
    }

    /// Milliseconds, rounded up to a tenth: a budget of this size is not refused again.
    private static func text(_ duration: Duration) -> String {
        BudgetRequest.text((duration / .milliseconds(1) * 10).rounded(.up) / 10)
    }
}

extension LatencyBudget {
    fileprivate subscript(limit: BudgetLimit) -> Duration? {
        switch limit {
        case .whole: whole
        case .firstToken: firstToken
        case .perToken: perToken
        }
    }
}

extension BudgetLimit {
    /// The field of a request that sets it.
    fileprivate var field: String {
        switch self {
        case .whole: "latency_budget_ms"
        case .firstToken: "slo.ttft_ms"
        case .perToken: "slo.tpot_ms"
        }
    }

    fileprivate var meaning: String {
        switch self {
        case .whole: "this answer"
        case .firstToken: "its first token"
        case .perToken: "each of its tokens"
        }
    }
}
