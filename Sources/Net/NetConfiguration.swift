import HTTP1

/// How much time and memory connections may take.
public struct NetConfiguration: Sendable {
    /// Limits of one request: head, body, chunks.
    public var requestLimits = RequestLimits()
    /// A body of gzip, inflated. Larger: 413.
    public var inflatedBody = 1 << 20
    /// All bodies together, from their first byte until their handlers let go of them. A request that would exceed it is
    /// answered 503 with `Retry-After`.
    public var bodiesTotal = 256 << 20

    /// Connections open at once. One more is answered 503 with `Retry-After` and closed; one of TLS is only closed, as a
    /// handshake for each would cost more than it tells.
    public var maxConnections = 1024
    /// Connections open at once from one IPv4 address, or one IPv6 /64, which is what one client commands. One more is
    /// refused as above. Nil: no such cap. Clients of Unix sockets have no address and are not counted.
    public var maxConnectionsPerAddress: Int? = 512
    /// Serial queues among which connections are spread. A queue is never blocked, so one suffices on small machines.
    public var lanes = 2
    /// Requests of one connection that are answered at the same time. Only safe methods ever are (RFC 9112, 9.3.2);
    /// further requests wait in the connection's bounded input buffer.
    public var maxPipelined = 16

    /// From the first byte of a head to its end; also from connecting to the first byte. Then: 408, or a silent close if
    /// nothing came.
    public var headerTimeout: Duration = .seconds(10)
    /// For a body to arrive, beside the time it has earned at `minimumBodyRate`. Then: 408.
    public var bodyTimeout: Duration = .seconds(30)
    /// Bytes a second below which a body is slow.
    public var minimumBodyRate = 1024
    /// How long a connection may stay open between two requests.
    public var keepAliveTimeout: Duration = .seconds(75)
    /// For the client to take bytes that wait, beside the time it has earned at `minimumWriteRate`. Then it is dropped.
    public var writeTimeout: Duration = .seconds(30)
    /// Bytes a second below which a reader is slow.
    public var minimumWriteRate = 1024
    /// How long the input is read and thrown away after the last answer, so that a reset does not eat the answer.
    public var lingerTimeout: Duration = .seconds(2)

    /// Unsent bytes of a connection above which another piece of a stream drops it.
    public var unsentLimit = 1 << 20
    /// Body bytes that are read and thrown away after an early answer; with more to come the connection closes.
    public var drainedBody = 64 << 10

    public var halfClose = HalfClosePolicy.probe(after: .milliseconds(100))

    /// How answers are compressed. Nil: they are not.
    public var compression: CompressionPolicy? = CompressionPolicy()

    public init() {}
}

/// What to do when the client has sent its end (FIN) while its request is being answered.
///
/// A client that only shut down its sending side and one that is gone look alike until something is written: the second
/// answers with a reset. (A client of TLS says by close_notify that it goes: RFC 9112, 9.8. It has the grace time of
/// `probe` for its answer, none for `cancel` and before TLS 1.3, and all the time for `answer`. An end without
/// close_notify is treated as without TLS.) A stream finds out with its next piece. For an answer that is still being made there is a
/// choice:
///
/// - `probe`: go on, and find out by writing. HTTP/1.1 allows any number of interim answers, and a client must be able to
///   skip them (RFC 9110, 15.2), so a `102 Processing` goes out if the answer has not begun after a grace time, again
///   after some time, and the resets it provokes are looked for. A half-closed client gets its answer, a client that is
///   gone is noticed within the grace time and a round trip. HTTP/1.0 knows no interim answers: as `answer`.
/// - `answer`: go on. A half-closed client gets its answer; one that is gone is noticed when the answer is written.
/// - `cancel`: take it for gone, as nginx and Go's net/http do. Half-closed clients get nothing.
public enum HalfClosePolicy: Sendable, Hashable {
    case probe(after: Duration)
    case answer
    case cancel
}

/// When whole answers of JSON or text go out as gzip, to clients that ask for it.
///
/// Streams never do: gzip holds bytes back until it has a block of them, and an event is worth sending by itself.
public struct CompressionPolicy: Sendable, Hashable {
    /// Bodies below this many bytes stay as they are: gzip makes small ones larger.
    public var minimumSize = 1024
    /// 1 (fast) to 9 (small).
    public var level = 6

    public init() {}
}

extension Duration {
    /// Whole nanoseconds, from 0 to about 32 years: what can be added to a time without overflow.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return UInt64(min(seconds, 1_000_000_000)) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}
