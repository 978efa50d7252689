import CShims
import Compression
import Dispatch
import Glibc
import HTTP1
import Synchronization
import TLS

/// One client: a descriptor, its two Dispatch sources, the parser, and the exchanges that are in flight.
///
/// Bytes come in through `ingest` (Connection+Input) and go out through `flush` (Connection+Output); with TLS they pass
/// Connection+Security on their way. What happens when is decided in `settle`, which runs after every event.
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
        /// Counts `body`, and what inflates it, among all bodies.
        let lease: BodyLease
        /// Takes gzip off the body.
        var inflater: GzipInflater?
        /// Set when the request is begun; nil while it waits for the answers before it.
        var pace: PacedDeadline?
        /// The answer is given already; the body is read and thrown away.
        var isDiscarded = false

        /// Adds to the body; false when all bodies together may not have so much.
        mutating func append(_ bytes: Span<UInt8>, inflatedLimit: Int) throws(GzipError) -> Bool {
            let before = body.count
            if let inflater {
                try inflater.inflate(bytes, into: &body, limit: inflatedLimit)
            } else {
                bytes.withUnsafeBufferPointer { body.append(contentsOf: $0) }
            }
            return lease.grow(by: body.count - before)
        }
    }

    let lane: Lane
    let descriptor: Int32
    let peer: PeerAddress
    /// Nil for a connection without TLS, and for one that turns out to speak plain HTTP.
    var tls: TLSSession?
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
    /// Ciphertext for the kernel, from `sealedStart` on: a record of `output` at most, and what TLS itself has to say.
    var sealed: [UInt8] = []
    var sealedStart = 0
    var writePace: PacedDeadline?

    var configuration: NetConfiguration { lane.core.configuration }
    var isIdle: Bool { inFlight.isEmpty && incoming == nil && parser.isIdle && output.isEmpty && pending.isEmpty }
    var isOpen: Bool { if case .open = phase { true } else { false } }
    var isClosed: Bool { if case .closed = phase { true } else { false } }

    init(lane: Lane, _ accepted: AcceptedSocket) {
        self.lane = lane
        descriptor = accepted.descriptor
        peer = accepted.peer
        tls = accepted.tls.flatMap { TLSSession($0) }
        parser = RequestParser(limits: lane.core.configuration.requestLimits)
        idleSince = lane.now
    }

    /// Starts to read; a refused connection is told so first.
    func open(_ accepted: AcceptedSocket) {
        let core = lane.core
        let descriptor = descriptor
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: lane.queue)
        source.setEventHandler { self.lane.perform { self.readable() } }
        source.setCancelHandler {
            Glibc.close(descriptor)
            accepted.leave(core)
        }
        readSource = source
        source.activate()
        if accepted.tls != nil, tls == nil {
            core.log.error("no memory for another TLS session; the connection is closed")
            return close()
        }
        if let reason = accepted.refusal {
            fail(Fault(.serviceUnavailable, reason, headers: ["Retry-After": "1"]))
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
        if tls != nil {
            guard sayEnd() else { return }
        }
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
        sealed = []
        tls = nil
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
