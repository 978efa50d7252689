import HTTP1

/// Which pages of other origins may use the API from a browser (https://fetch.spec.whatwg.org/#http-cors-protocol).
///
/// Keys go in headers that a page sets itself; there are no cookies, so credentials are never allowed, and `*` gives a page
/// no more than any other client has.
public struct CORSPolicy: Sendable, Hashable {
    public enum Origins: Sendable, Hashable {
        case any
        /// `https://example.com`, `http://localhost:3000`.
        case these(Set<String>)
    }

    public var origins: Origins
    /// How long a browser may remember the answer to a preflight.
    public var maxAge: Duration

    public init(origins: Origins, maxAge: Duration) {
        self.origins = origins
        self.maxAge = maxAge
    }

    /// What browsers hide from pages otherwise.
    static let exposed = [
        "X-Request-Id", "X-Completion-Id", "X-Chains", "X-Chains-Reason", "openai-processing-ms", "Retry-After",
        "retry-after-ms", "x-should-retry", "traceparent", "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens",
    ]

    /// The fields of an answer.
    /// - Parameters:
    ///   - allow: the path's methods where a preflight is answered; nil where it is not.
    ///   - isComplete: false for a head of which only the beginning was read, so that there may be an Origin all the same.
    func fields(for head: RequestHead, preflight allow: [String]?, isComplete: Bool = true) -> HTTPHeaders {
        var fields = HTTPHeaders()
        let origin = head.headers["origin"]
        switch origins {
        case .any:
            guard origin != nil || !isComplete else { return fields }
            fields.append("Access-Control-Allow-Origin", "*")
        case .these(let list):
            // Also without an Origin: a cache must not give this answer to a page (Fetch, "CORS protocol and HTTP caches").
            fields.append("Vary", "Origin")
            guard let origin, list.contains(origin) else { return fields }
            fields.append("Access-Control-Allow-Origin", origin)
        }
        guard let allow, head.headers.contains("access-control-request-method") else {
            fields.append("Access-Control-Expose-Headers", Self.exposed.joined(separator: ", "))
            return fields
        }
        fields.append("Access-Control-Allow-Methods", allow.joined(separator: ", "))
        let wanted = Self.names(in: head.headers.values("access-control-request-headers"))
        // `*` would not stand for Authorization, and clients send headers of their own (x-stainless-...).
        if !wanted.isEmpty { fields.append("Access-Control-Allow-Headers", wanted.joined(separator: ", ")) }
        fields.append("Access-Control-Max-Age", String(Int(maxAge / .seconds(1))))
        return fields
    }

    /// Names of fields; anything else in the list is left out, so that nothing else comes back.
    private static func names(in lists: [String]) -> [Substring] {
        lists.flatMap { $0.split { $0 == "," || $0 == " " || $0 == "\t" } }.filter { name in
            name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
        }
    }
}
