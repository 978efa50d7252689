import Compression
import Glibc
import HTTP1

// Bytes to requests: reading, what the parser may have now, what a request's head and end set off.

extension Connection {
    /// Input that waits for the parser, at most: beyond it the socket is not read.
    private static let pendingLimit = Lane.readBufferSize
    /// Unsent output beyond which no further request is taken up: a client that does not read gets no more work done.
    private static let outputHighWater = 64 << 10

    /// Reads until nothing is left, or the connection may take no more.
    func readable() {
        let buffer = lane.readBuffer
        for _ in 0..<16 {
            guard !isClosed, !isInputClosed, !isReadSuspended else { return }
            guard pending.count - pendingStart < Self.pendingLimit else { return suspendReading() }
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 {
                let bytes = Span(_unsafeElements: UnsafeBufferPointer(rebasing: buffer[..<count]))
                if tls == nil { ingest(bytes) } else { open(bytes) }
            } else if count == 0 {
                return reachEnd()
            } else if errno == EAGAIN {
                return
            } else if errno != EINTR {
                return drop()
            }
        }
        // A fast sender must not keep the lane; the others have their turn first.
        lane.queue.async { self.lane.perform { self.readable() } }
    }

    /// Takes bytes off the wire: into the parser as far as it may go on, the rest into `pending`.
    func ingest(_ bytes: Span<UInt8>) {
        lane.mustSettle(self)
        // After the last request, and while lingering, bytes are nobody's.
        guard isOpen, acceptsRequests || incoming != nil else { return }
        var offset = 0
        if pending.isEmpty { parse(bytes, at: &offset) }
        guard offset < bytes.count, acceptsRequests || incoming != nil else { return }
        bytes.extracting(offset...).withUnsafeBufferPointer { pending.append(contentsOf: $0) }
    }

    /// Gives the parser what waited for it.
    func parsePending() {
        guard pendingStart < pending.count else {
            pending = []
            pendingStart = 0
            return takeEndIfReached()
        }
        let bytes = pending
        var offset = pendingStart
        parse(bytes.span, at: &offset)
        // An error in the input, or the last request, has thrown the rest away.
        if !pending.isEmpty { pendingStart = offset }
        if pendingStart == pending.count {
            pending = []
            pendingStart = 0
        } else if pendingStart > 0, pendingStart >= pending.count / 2 {
            pending.removeFirst(pendingStart)
            pendingStart = 0
        }
        takeEndIfReached()
    }

    func resumeReadingIfPossible() {
        if !isInputClosed, pending.count - pendingStart < Self.pendingLimit { resumeReading() }
    }

    /// Whether the parser may go on: a request is being received, or the next one may be.
    private var mayParse: Bool {
        guard isOpen else { return false }
        if let incoming { return incoming.pace != nil }
        guard acceptsRequests, !isDraining || !parser.isIdle else { return false }
        if inFlight.isEmpty { return true }
        return inFlight.count < configuration.maxPipelined && output.count - outputStart < Self.outputHighWater
            && inFlight.allSatisfy(\.isSafe)
    }

    private func parse(_ bytes: Span<UInt8>, at offset: inout Int) {
        do {
            while mayParse {
                if incoming == nil, parser.isIdle { headStart = lane.now }
                guard let event = try parser.next(in: bytes, at: &offset) else { return }
                switch event {
                case .head(let head): receive(head)
                case .body(let range): receive(bytes.extracting(range))
                case .end: completeRequest()
                }
            }
        } catch {
            fail(Fault(error.status, error.message))
        }
    }

    private func receive(_ head: RequestHead) {
        isFresh = false
        let exchange = Exchange(
            connection: self,
            isSafe: head.method.isSafe,
            acceptsGzip: head.headers.acceptsGzip,
            writer: ResponseWriter(answering: head)
        )
        inFlight.append(exchange)
        let lease = BodyLease(lane.core.bodies)
        incoming = Incoming(head: head, exchange: exchange, arrival: headStart, lease: lease)
        beginWaiting()
    }

    /// Takes up the request whose head is here, if the ones before it allow. RFC 9112, 9.3.2: side by side only when all
    /// of them are safe.
    func beginWaiting() {
        guard let incoming, incoming.pace == nil else { return }
        let exchange = incoming.exchange
        guard inFlight.first === exchange || inFlight.allSatisfy(\.isSafe) else { return }
        self.incoming?.pace = PacedDeadline(
            start: lane.now,
            allowance: configuration.bodyTimeout,
            rate: configuration.minimumBodyRate
        )
        if let answer = earlyAnswer(to: incoming) {
            let isDrained = canDrain(incoming.head)
            if isDrained {
                self.incoming?.isDiscarded = true
            } else {
                exchange.writer.closeAfterwards()
                self.incoming = nil
                stopRequests()
            }
            return take(.respond(answer), for: exchange)
        }
        if incoming.head.hasBody, incoming.head.headers.contentCoding == .gzip { takeGzip() }
        if incoming.head.expectsContinue, self.incoming != nil {
            // In the order of the answers, so it waits for those before it.
            encode(exchange) { writer, out in writer.writeInterim(.continue, into: &out) }
        }
    }

    /// The body that is to come is gzip.
    private func takeGzip() {
        guard incoming?.lease.grow(by: GzipInflater.memory) == true else { return fail(.bodiesUsedUp) }
        incoming?.inflater = GzipInflater()
    }

    private func earlyAnswer(to incoming: Incoming) -> Response? {
        let handler = lane.core.handler
        let head = incoming.head
        if case .unrecognized = head.method {
            // RFC 9110, 9.1.
            let fault = Fault(.notImplemented, "this server does not implement the method")
            return handler.answer(to: fault, refusing: refused(incoming))
        }
        if let answer = handler.earlyAnswer(to: head, from: peer) { return answer }
        guard head.hasBody, head.headers.contentCoding == nil else { return nil }
        // RFC 9110, 15.5.16: with the codings that would be right.
        let fault = Fault(
            .unsupportedMediaType,
            "the body's Content-Encoding is not supported; send it as it is, or as gzip, once",
            headers: ["Accept-Encoding": "gzip, identity"]
        )
        return handler.answer(to: fault, refusing: refused(incoming))
    }

    /// Whether a body that nobody wants is short enough to read past. A client that waits for 100 may send it or not,
    /// and no one can tell which (RFC 9110, 10.1.1); chunks have no announced end.
    private func canDrain(_ head: RequestHead) -> Bool {
        guard case .chunked = head.body else {
            if case .length(let length) = head.body, length > 0 {
                return length <= configuration.drainedBody && !head.expectsContinue
            }
            return true
        }
        return false
    }

    private func receive(_ bytes: Span<UInt8>) {
        incoming?.pace?.pass(bytes.count)
        guard incoming?.isDiscarded == false else { return }
        do throws(GzipError) {
            guard try incoming?.append(bytes, inflatedLimit: configuration.inflatedBody) == true else {
                return fail(.bodiesUsedUp)
            }
        } catch {
            fail(Fault(error))
        }
    }

    private func completeRequest() {
        guard let incoming else { return }
        do throws(GzipError) {
            try incoming.inflater?.finish()
        } catch {
            return fail(Fault(error))
        }
        self.incoming = nil
        idleSince = lane.now
        if !incoming.head.keepAlive { stopRequests() }
        guard !incoming.isDiscarded else { return }
        var request = Request(
            head: incoming.head,
            body: incoming.body,
            peer: peer,
            arrival: incoming.arrival,
            lease: incoming.lease
        )
        if incoming.inflater != nil { request.head.headers.removeAll("Content-Encoding") }
        lane.core.handler.handle(request, ExchangeResponder(incoming.exchange))
    }

    /// Answers in the handler's place and has the connection end: where the next request starts is unknown.
    func fail(_ fault: Fault) {
        stopRequests()
        let exchange: Exchange
        let request: RefusedRequest
        if let incoming {
            self.incoming = nil
            exchange = incoming.exchange
            // Answered early already; what was to be thrown away cannot be read.
            guard !incoming.isDiscarded else { return lane.mustSettle(self) }
            request = refused(incoming)
        } else {
            let head = parser.unfinishedHead
            let writer = ResponseWriter(method: head?.method ?? .get, version: .http11, keepAlive: false)
            exchange = Exchange(connection: self, isSafe: true, acceptsGzip: false, writer: writer)
            inFlight.append(exchange)
            let arrival = parser.isIdle ? lane.now : headStart
            request = RefusedRequest(head: head, isHeadComplete: false, peer: peer, arrival: arrival)
        }
        exchange.writer.closeAfterwards()
        take(.respond(lane.core.handler.answer(to: fault, refusing: request)), for: exchange)
    }

    private func refused(_ incoming: Incoming) -> RefusedRequest {
        RefusedRequest(
            head: incoming.head,
            isHeadComplete: true,
            peer: peer,
            arrival: incoming.arrival,
            bodyBytes: incoming.body.count
        )
    }
}

extension Fault {
    /// All bodies together have the memory that they may have.
    fileprivate static let bodiesUsedUp = Fault(
        .serviceUnavailable,
        "the server holds as many request bodies as it may; try again",
        headers: ["Retry-After": "1"]
    )

    fileprivate init(_ error: GzipError) {
        switch error {
        case .tooLarge: self.init(.contentTooLarge, "the gzip body is too large: \(error)")
        case .corrupt, .truncated: self.init(.badRequest, "the gzip body cannot be read: \(error)")
        }
    }
}
