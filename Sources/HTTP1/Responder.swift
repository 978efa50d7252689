/// The way to answer one request: once with `respond`, or with `start`, any number of `write`, and `finish`.
///
/// Every call may come from any thread, returns at once and never waits for the network: the engine's thread can push a
/// step's tokens to all of its streams. Calls for one answer must come one after the other. Answers go out in the order
/// of their requests, whatever the order of these calls.
///
/// Calls that do not fit (a second answer, a write before `start`) do nothing. A responder that is let go of without an
/// answer yields a 500; one that is let go of in the middle of a stream cuts the connection, so that the client can tell
/// the stream from a complete one.
public protocol Responder: AnyObject, Sendable {
    /// A whole answer; it goes out with `Content-Length`.
    func respond(_ response: Response)

    /// The head of a stream: chunked, or ended by closing for HTTP/1.0.
    func start(_ head: ResponseHead)

    /// A piece of a stream; goes out as soon as the connection takes it. Empty pieces do nothing.
    func write(_ bytes: [UInt8])

    /// The end of a stream.
    func finish()

    /// Has `body` called once when the client goes away before the answer is complete; at once (on the caller's thread)
    /// if it is gone already, never if the answer is complete. Only the first call counts.
    ///
    /// Trap: a `body` that holds the responder keeps it alive until the answer is complete, and an answer that was
    /// forgotten is then never noticed.
    func onCancel(_ body: @escaping @Sendable () -> Void)

    /// Whether the client went away.
    var isCancelled: Bool { get }

    /// Bytes accepted by this connection's responders and not yet by the kernel. A reader that is slow makes it grow;
    /// stop producing while it is large. Beyond a limit of the transport the client is dropped.
    var unsentBytes: Int { get }
}
