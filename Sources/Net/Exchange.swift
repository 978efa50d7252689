import HTTP1
import Synchronization

/// One request of a connection and the answer to it, from the request's head to the answer's last byte.
///
/// `@unchecked Sendable`: the `var`s are touched on the lane's queue only; what other threads touch is in `cancellation`.
final class Exchange: @unchecked Sendable {
    private enum Cancellation {
        /// The answer is being made; the closure is what the handler wants to have called.
        case possible((@Sendable () -> Void)?)
        case cancelled
        /// The answer is complete: nothing is left to cancel.
        case over
    }

    let connection: Connection
    /// Whether other safe requests may be worked on at the same time.
    let isSafe: Bool
    /// Whether the client asked for gzip.
    let acceptsGzip: Bool
    var writer: ResponseWriter
    /// Output that waits for the answers before this one.
    var waiting: [UInt8] = []
    private let cancellation = Mutex(Cancellation.possible(nil))

    init(connection: Connection, isSafe: Bool, acceptsGzip: Bool, writer: ResponseWriter) {
        self.connection = connection
        self.isSafe = isSafe
        self.acceptsGzip = acceptsGzip
        self.writer = writer
    }

    var isCancelled: Bool {
        cancellation.withLock { if case .cancelled = $0 { true } else { false } }
    }

    func onCancel(_ body: @escaping @Sendable () -> Void) {
        let isCancelled = cancellation.withLock { state in
            switch state {
            case .possible(nil):
                state = .possible(body)
                return false
            case .possible, .over:
                return false
            case .cancelled:
                return true
            }
        }
        if isCancelled { body() }
    }

    /// The client went away. Calls the handler's closure, outside of the lock.
    func cancel() {
        let body = cancellation.withLock { state -> (@Sendable () -> Void)? in
            guard case .possible(let body) = state else { return nil }
            state = .cancelled
            return body
        }
        body?()
    }

    /// The handler has said all it has to say. Lets go of its closure, outside of the lock.
    func complete() {
        let body = cancellation.withLock { state -> (@Sendable () -> Void)? in
            guard case .possible(let body) = state else { return nil }
            state = .over
            return body
        }
        _ = consume body
    }
}
