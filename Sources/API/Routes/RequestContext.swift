import Core
import Dispatch
import HTTP1
import Pages

/// What every answer to one request says: its id and the time it took.
struct RequestContext: Sendable {
    /// `X-Request-Id`: the client's own when it is 1 to 128 visible ASCII characters, else a new one.
    let requestID: String
    let caller: Caller
    /// Of the access log; nil where there is none.
    let record: RequestRecord?
    /// In nanoseconds of CLOCK_MONOTONIC.
    private let arrival: UInt64

    /// - Parameters:
    ///   - arrival: when the request arrived, in nanoseconds of CLOCK_MONOTONIC.
    ///   - entry: of the access log, as far as it is known.
    init(
        _ head: RequestHead,
        arrival: UInt64 = Self.now,
        caller: Caller,
        entry: AccessEntry? = nil,
        access: AccessControl = AccessControl()
    ) {
        self.arrival = arrival
        self.caller = caller
        let own = head.headers["x-request-id"].flatMap { ClientName.isValid($0) ? $0 : nil }
        requestID = own ?? "req-" + RandomName.make()
        guard let log = access.log, var entry else {
            record = nil
            return
        }
        entry.requestID = requestID
        record = RequestRecord(entry, arrival: arrival, to: log, takesPrompts: access.logsPrompts)
    }

    /// The arrival on the clock of budgets. That one counts the time of a sleeping machine too (CLOCK_BOOTTIME on Linux),
    /// so only the distance to now can be carried over.
    var arrived: ContinuousClock.Instant {
        let now = Self.now
        return .now - .nanoseconds(now - min(arrival, now))
    }

    /// Nanoseconds of CLOCK_MONOTONIC, which is what Dispatch counts in on Linux.
    static var now: UInt64 { DispatchTime.now().uptimeNanoseconds }

    /// Headers of any answer.
    func headers(contentType: String = "application/json") -> HTTPHeaders {
        ["Content-Type": contentType, "X-Request-Id": requestID]
    }

    /// Headers of an answer that the model took part in.
    /// - Parameters:
    ///   - id: the completion's; nil for a request that was refused.
    ///   - admission: of the first answer; nil for a request that was refused.
    func completionHeaders(
        contentType: String = "application/json",
        id: String? = nil,
        admission: Admission?
    ) -> HTTPHeaders {
        var headers = headers(contentType: contentType)
        let now = Self.now
        headers.append("openai-processing-ms", String((now - min(arrival, now)) / 1_000_000))
        if let id { headers.append("X-Completion-Id", id) }
        if let admission {
            headers.append("X-Chains", String(admission.chains))
            headers.append("X-Chains-Reason", admission.reason.rawValue)
        }
        return headers
    }

    func response(_ status: HTTPStatus, json: [UInt8]) -> Response {
        Response(ResponseHead(status, headers: headers()), body: json)
    }

    /// A page, or 304 when the client has it (RFC 9110, section 13.1.2).
    func response(_ page: Page, to head: RequestHead) -> Response {
        var headers = headers(contentType: page.contentType)
        headers.append("ETag", page.entityTag)
        // Ask each time, and mostly hear 304: a new version of the server shows at once.
        headers.append("Cache-Control", "no-cache")
        headers.append("X-Content-Type-Options", "nosniff")
        if let policy = page.policy {
            headers.append("Content-Security-Policy", policy)
            headers.append("Referrer-Policy", "no-referrer")
        }
        if head.headers.values("if-none-match").contains(where: page.matches) {
            headers.removeAll("Content-Type")
            // The transport says so of the 200s that it may compress (RFC 9110, section 15.4.5).
            headers.append("Vary", "Accept-Encoding")
            return Response(ResponseHead(.notModified, headers: headers))
        }
        return Response(ResponseHead(.ok, headers: headers), body: page.body)
    }

    /// The answer to OPTIONS (RFC 9110, 9.3.7).
    func response(allowing methods: [String]) -> Response {
        let headers: HTTPHeaders = ["X-Request-Id": requestID, "Allow": methods.joined(separator: ", ")]
        return Response(ResponseHead(.noContent, headers: headers))
    }

    func response(_ error: APIError) -> Response {
        response(error, headers: headers())
    }

    func response(_ error: APIError, headers: HTTPHeaders) -> Response {
        var headers = headers
        record?.note { $0.code = error.code }
        // RFC 9110, 15.5.2; the scheme is RFC 6750's.
        if error.status == 401 { headers.append("WWW-Authenticate", "Bearer") }
        if let delay = error.retryDelay {
            headers.append("Retry-After", String(delay.seconds))
            headers.append("retry-after-ms", String(delay.milliseconds))
        }
        if !error.isWorthRetrying { headers.append("x-should-retry", "false") }
        if !error.allow.isEmpty { headers.append("Allow", error.allow.joined(separator: ", ")) }
        return Response(ResponseHead(HTTPStatus(error.status), headers: headers), body: error.body)
    }
}

/// Names that nobody can guess: 24 letters and digits, 120 bits.
enum RandomName {
    /// Crockford's 32: none that look alike.
    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    static func make() -> String {
        var random = SystemRandomNumberGenerator()
        var bytes: [UInt8] = []
        bytes.reserveCapacity(24)
        // Each draw is a system call.
        for _ in 0..<2 {
            var bits = random.next()
            for _ in 0..<12 {
                bytes.append(alphabet[Int(bits & 31)])
                bits >>= 5
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
