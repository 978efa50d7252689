/// A complete request: its head and all of its body, bounded by `RequestLimits`. Transfer coding and gzip are taken off the
/// body; a head whose body was gzip has no `Content-Encoding` any more.
public struct Request: Sendable {
    public var head: RequestHead
    public var body: [UInt8]
    public var peer: PeerAddress
    /// When the first byte of the request was read, in nanoseconds of CLOCK_MONOTONIC.
    public var arrival: UInt64
    /// Kept by the transport's count of all body memory, which goes down when the last copy of the request is gone. So a
    /// handler should let go of a request once it has read it.
    public var lease: (any AnyObject & Sendable)?

    public init(
        head: RequestHead,
        body: [UInt8] = [],
        peer: PeerAddress = .unix,
        arrival: UInt64 = 0,
        lease: (any AnyObject & Sendable)? = nil
    ) {
        self.head = head
        self.body = body
        self.peer = peer
        self.arrival = arrival
        self.lease = lease
    }
}
