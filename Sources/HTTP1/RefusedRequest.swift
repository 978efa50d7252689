/// What is known of a request that the transport answers in the handler's place.
public struct RefusedRequest: Sendable, Equatable {
    /// Nil when no line of it could be read. Of a head that was itself refused, or never came to its end, the fields up to
    /// there (`RequestParser.unfinishedHead`).
    public var head: RequestHead?
    /// Whether the head came whole and was right: what is not in its fields was not sent.
    public var isHeadComplete: Bool
    public var peer: PeerAddress
    /// When its first byte was read, in nanoseconds of CLOCK_MONOTONIC.
    public var arrival: UInt64
    /// Body bytes that had come, content coding taken off.
    public var bodyBytes: Int

    public init(
        head: RequestHead?,
        isHeadComplete: Bool,
        peer: PeerAddress,
        arrival: UInt64,
        bodyBytes: Int = 0
    ) {
        self.head = head
        self.isHeadComplete = isHeadComplete
        self.peer = peer
        self.arrival = arrival
        self.bodyBytes = bodyBytes
    }
}
