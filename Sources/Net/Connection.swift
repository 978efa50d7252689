import CShims
import Dispatch
import Glibc
import HTTP1
import Synchronization

/// One client: a descriptor, its two Dispatch sources, the parser, and the exchanges that are in flight.
///
/// Bytes come in through `ingest` (Connection+Input) and go out through `flush` (Connection+Output); transport security
/// would sit there and nowhere else. What happens when is decided in `settle`, which runs after every event.
///
/// Rules of Dispatch on Linux that this obeys: the write source has a descriptor of its own (sources of both kinds on one
/// descriptor lose events); reads go on until EAGAIN or the end (after a hang-up a source fires once and never again);
/// sources are touched on the lane's queue only; descriptors are closed by cancel handlers only.
///
/// `@unchecked Sendable`: all `var`s are touched on `lane.queue` only.
final class Connection: @unchecked Sendable {
    /// `open` -> `lingering` -> `closed`, or straight to `closed`.
    enum Phase {
        case open
        /// All is said and our side is shut; input is thrown away until the client closes or the time is over. RFC 9112,
        /// 9.6: closing at once would reset the connection under the client's unread answer.
        case lingering(since: UInt64)
        case closed
    }

    /// A request whose head is here and whose body is not yet.
    struct Incoming {
        let head: RequestHead
        let exchange: Exchange
        let arrival: UInt64
        var body: [UInt8] = []
        /// Set when the request is begun; nil while it waits for the answers before it.
        var pace: PacedDeadline?
        /// The answer is given already; the body is read and thrown away.
        var isDiscarded = false
    }

    let lane: Lane
    let descriptor: Int32
    let peer: PeerAddress
    /// Bytes that responders were given and the kernel has not taken.
    let unsentBytes = Atomic<Int>(0)

    var phase = Phase.open
    var isUnsettled = false

    // Input
    var readSource: (any DispatchSourceRead)?
    var isReadSuspended = false
    var parser: RequestParser
    /// Input that the parser may not have yet, from `pendingStart` on. At most two read buffers.
    var pending: [UInt8] = []
    var pendingStart = 0
    var incoming: Incoming?
    /// False once the last request of this connection has come, or one that cannot be read.
    var acceptsRequests = true
    /// The server goes down: only a request that has begun to come is still read.
    private(set) var isDraining = false
    /// The client has sent its end.
    var isInputClosed = false
    var isWatchingEnd = false
    /// When the first byte of the request in the parser was read.
    var headStart: UInt64 = 0
    var idleSince: UInt64
    /// No request has come yet.
    var isFresh = true

    // Output
    var writeSource: (any DispatchSourceWrite)?
    var isWriteArmed = false
    /// Exchanges whose answers are not complete, in the order of their requests.
    var inFlight: [Exchange] = []
    /// Bytes for the kernel, from `outputStart` on.
    var output: [UInt8] = []
    var outputStart = 0
    var writePace: PacedDeadline?

    var configuration: NetConfiguration { lane.core.configuration }
    var isIdle: Bool { inFlight.isEmpty && incoming == nil && parser.isIdle && output.isEmpty && pending.isEmpty }
    var isOpen: Bool { if case .open = phase { true } else { false } }
    var isClosed: Bool { if case .closed = phase { true } else { false } }

    init(lane: Lane, descriptor: Int32, peer: PeerAddress) {
        self.lane = lane
        self.descriptor = descriptor
        self.peer = peer
        parser = RequestParser(limits: lane.core.configuration.requestLimits)
        idleSince = lane.now
    }

    /// Starts to read; a refused connection is told so first.
    func open(isRefused: Bool) {
        let core = lane.core
        let descriptor = descriptor
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: lane.queue)
        source.setEventHandler { self.lane.perform { self.readable() } }
        source.setCancelHandler {
            Glibc.close(descriptor)
            core.openConnections.subtract(1, ordering: .relaxed)
            core.activity.leave()
        }
        readSource = source
        source.activate()
        if isRefused {
            let fault = Fault(
                .serviceUnavailable,
                "too many connections; try again",
                headers: ["Retry-After": "1"]
            )
            fail(fault)
        }
    }

    /// Goes on wherever it can: writes, takes up what waits, ends what is done. Runs after every event.
    func settle() {
        flush()
        guard isOpen else { return }
        beginWaiting()
        parsePending()
        guard isOpen else { return }
        if isDraining, incoming == nil, parser.isIdle { stopRequests() }
        if !acceptsRequests, inFlight.isEmpty, incoming == nil, output.isEmpty { return end() }
        if isInputClosed || isReadSuspended { resumeReadingIfPossible() }
    }

    /// Server going down: closes now if nothing is going on, else after the answers in flight.
    func drain() {
        // Perhaps a request is here and its event is not yet: closing on it would reset it.
        readable()
        isDraining = true
        lane.mustSettle(self)
    }

    /// No further requests; bytes that come are thrown away.
    func stopRequests() {
        acceptsRequests = false
        pending = []
        pendingStart = 0
    }

    /// The orderly end: everything is written.
    private func end() {
        guard !isInputClosed else { return close() }
        phase = .lingering(since: lane.now)
        shutdown(descriptor, Int32(SHUT_WR))
        resumeReading()
    }

    /// The client is gone, or as good as gone: its requests are cancelled.
    func drop() {
        guard !isClosed else { return }
        let cancelled = inFlight
        close()
        for exchange in cancelled { exchange.cancel() }
    }

    func close() {
        guard !isClosed else { return }
        phase = .closed
        // A suspended source would keep its descriptor: cancel handlers run on resumed sources only.
        resumeReading()
        readSource?.cancel()
        readSource = nil
        if !isWriteArmed { writeSource?.resume() }
        writeSource?.cancel()
        writeSource = nil
        stopRequests()
        incoming = nil
        inFlight = []
        output = []
        lane.forget(self)
    }

    func suspendReading() {
        guard !isReadSuspended, let readSource else { return }
        isReadSuspended = true
        readSource.suspend()
    }

    func resumeReading() {
        guard isReadSuspended, let readSource else { return }
        isReadSuspended = false
        readSource.resume()
    }
}
