/// The version of a message. A higher minor version of HTTP/1 is treated as 1.1 (RFC 9110, 2.5); other major versions
/// never get this far (505).
public enum HTTPVersion: Sendable, Hashable {
    case http10
    case http11
}
