import HTTP1

/// How much time and memory connections may take. At worst all of them together hold `maxConnections` bodies.
public struct NetConfiguration: Sendable {
    /// Limits of one request: head, body, chunks.
    public var requestLimits = RequestLimits()

    /// Connections open at once. One more is answered 503 with `Retry-After` and closed.
    public var maxConnections = 1024
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

    public init() {}
}

/// What to do when the client has sent its end (FIN) while its request is being answered.
///
/// A client that only shut down its sending side and one that is gone look alike until something is written: the second
/// answers with a reset. A stream finds out with its next piece. For an answer that is still being made there is a
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

extension Duration {
    /// Whole nanoseconds, from 0 to about 32 years: what can be added to a time without overflow.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return UInt64(min(seconds, 1_000_000_000)) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}
