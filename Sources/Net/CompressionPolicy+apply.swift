import Compression
import HTTP1

// Whole answers to gzip, if the client asks for it and it is worth it.

extension CompressionPolicy {
    /// Above this size compressing takes milliseconds, and a lane has other connections to serve.
    static let sizeForLanes = 16 << 10

    /// Whether there are two forms of this answer to choose from.
    ///
    /// Attack (BREACH): where an answer holds a secret beside text that an attacker chooses, its compressed length tells
    /// about the secret. Answers of this server hold none.
    func applies(to response: Response) -> Bool {
        guard response.body.count >= minimumSize, response.head.status.allowsBody else { return false }
        let headers = response.head.headers
        guard !headers.contains("Content-Encoding"), let type = headers["Content-Type"] else { return false }
        let media = type.prefix { $0 != ";" && $0 != " " }.lowercased()
        // The event stream of an answer that is known as a whole is one all the same.
        guard media == "application/json" || media.hasPrefix("text/"), media != "text/event-stream" else {
            return false
        }
        return headers["Cache-Control"]?.lowercased().contains("no-transform") != true
    }

    /// The form of an answer to which the policy applies, for a client that accepts gzip or does not.
    func form(of response: Response, isGzipAccepted: Bool) -> Response {
        var response = response
        // RFC 9110, 12.5.5: a cache must not give one client's form to another. Both forms say so.
        response.head.headers.append("Vary", "Accept-Encoding")
        guard isGzipAccepted else { return response }
        let compressed = gzip(response.body, level: level)
        guard compressed.count < response.body.count else { return response }
        response.head.headers.append("Content-Encoding", "gzip")
        response.body = compressed
        return response
    }
}
