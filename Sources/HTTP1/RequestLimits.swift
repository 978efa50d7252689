/// How much of a connection's memory and patience one request may take. All in bytes unless said otherwise.
///
/// The parser holds at most `headSize` bytes of a head, one line of a chunk header, and `trailerSize` bytes of trailers;
/// it never holds body bytes.
public struct RequestLimits: Sendable, Hashable {
    /// The request target. Longer: 414.
    public var target = 8 << 10
    /// One header line, name to value. Longer: 431.
    public var headerLine = 16 << 10
    /// Number of header fields. More: 431.
    public var headerCount = 100
    /// All header lines together. More: 431.
    public var headerTotal = 64 << 10
    /// The body, decoded from chunks. Larger: 413, decided on `Content-Length` alone where there is one.
    public var body = 1 << 20
    /// All chunk extensions of a body together (RFC 9112, 7.1.1 asks for a limit). More: 413.
    public var chunkExtensions = 4 << 10
    /// All trailer lines together. More: 431.
    public var trailers = 8 << 10

    public init() {}
}
