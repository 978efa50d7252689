/// A complete request: its head and all of its body, bounded by `RequestLimits`.
public struct Request: Sendable {
    public var head: RequestHead
    public var body: [UInt8]
    public var peer: PeerAddress
    /// When the first byte of the request was read, in nanoseconds of CLOCK_MONOTONIC.
    public var arrival: UInt64

    public init(head: RequestHead, body: [UInt8] = [], peer: PeerAddress = .unix, arrival: UInt64 = 0) {
        self.head = head
        self.body = body
        self.peer = peer
        self.arrival = arrival
    }
}
