/// A file that the server carries inside itself and answers with as it is.
public struct Page: Sendable {
    public let body: [UInt8]
    public let contentType: String
    /// The same for the same bytes, on every replica. Weak (RFC 9110, section 8.8.1): the gzip form has it too.
    public let entityTag: String
    /// `Content-Security-Policy`; nil for what is no page.
    public let policy: String?

    init(_ body: [UInt8], _ contentType: String, policy: String? = nil) {
        self.body = body
        self.contentType = contentType
        self.policy = policy
        // FNV-1a: it tells versions of our own files apart, and guards nothing.
        let hash = body.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        entityTag = "W/\"" + String(hash, radix: 16) + "\""
    }

    /// Whether a client that has what `If-None-Match` names has this (RFC 9110, 13.1.2 and 8.8.3.2).
    public func matches(_ field: String) -> Bool {
        field.split(separator: ",").contains { item in
            let tag = item.drop { $0 == " " || $0 == "\t" }.prefix { $0 != " " && $0 != "\t" }
            return tag == "*" || tag == entityTag || "W/" + tag == entityTag
        }
    }
}

extension Page {
    /// The playground: one page that asks nobody but this server for anything.
    ///
    /// Its script and its style are named by their SHA-256, so that nothing which gets into the page by accident can run.
    public static let playground = Page(
        PackageResources.playground_html,
        "text/html; charset=utf-8",
        policy: [
            "default-src 'none'",
            "script-src 'sha256-\(scriptHash)'",
            "style-src 'sha256-\(styleHash)'",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ].joined(separator: "; ")
    )

    /// `GET /openapi.json`.
    public static let openAPI = Page(PackageResources.openapi_json, "application/json")

    static let scriptHash = "alGSq48ipg1N+TEzTOb0ZEKTCknGLE130mjY4SC6M+g="
    static let styleHash = "bqAuYauHE2uQlsqC8Gza9ogbn+ubwdU1jgI0K/0cQkY="
}
