import Dispatch
import Glibc
import HTTP1

// Answers to bytes: in the order of the requests, written at once, the rest when the socket takes it.

extension Connection {
    /// Output memory that an idle connection may keep.
    static let keptCapacity = 4 << 10

    /// Goes on with an answer, by a responder's message or by the connection itself.
    func take(_ step: AnswerStep, for exchange: Exchange) {
        guard isOpen, inFlight.contains(where: { $0 === exchange }) else { return }
        lane.mustSettle(self)
        switch step {
        case .respond(let response):
            respond(response, for: exchange)
        case .start(let head):
            closeIfLast(exchange)
            let date = lane.currentDate()
            attempt(exchange) { (writer, out) throws(ResponseError) in try writer.start(head, date: date, into: &out) }
        case .write(let bytes):
            // Attack (slow reader): a stream that nobody reads would pile up here. A burst that the socket was not yet
            // offered is no reader's fault.
            if isOverLimit(exchange) { flush() }
            guard isOpen else { return }
            guard !isOverLimit(exchange) else { return drop() }
            attempt(exchange) { (writer, out) throws(ResponseError) in try writer.write(bytes, into: &out) }
        case .finish:
            attempt(exchange) { (writer, out) throws(ResponseError) in try writer.finish(into: &out) }
        case .abandoned:
            lane.core.log.error("a request was given up without a complete answer")
            // A stream that just ended would pass for a complete one.
            guard !exchange.writer.hasHead else { return drop() }
            exchange.complete()
            respond(internalError(), for: exchange)
        }
        retire()
    }

    private func isOverLimit(_ exchange: Exchange) -> Bool {
        output.count - outputStart + exchange.waiting.count > configuration.unsentLimit
    }

    private func respond(_ response: Response, for exchange: Exchange) {
        closeIfLast(exchange)
        let date = lane.currentDate()
        attempt(exchange) { (writer, out) throws(ResponseError) in
            try writer.write(response.head, body: response.body, date: date, into: &out)
        }
    }

    private func internalError() -> Response {
        lane.core.handler.answer(to: Fault(.internalServerError, "the server failed to answer this request"))
    }

    /// Runs one step of the writer. A head that cannot be written becomes a 500.
    private func attempt(
        _ exchange: Exchange,
        _ body: (inout ResponseWriter, inout [UInt8]) throws(ResponseError) -> Void
    ) {
        do {
            try encode(exchange, body)
        } catch {
            lane.core.log.error("an answer cannot be written: \(error)")
            guard !exchange.writer.hasHead else { return }
            exchange.complete()
            let date = lane.currentDate()
            let substitute = Response(.internalServerError, text: "the server failed to answer this request\n")
            try? encode(exchange) { (writer, out) throws(ResponseError) in
                try writer.write(substitute.head, body: substitute.body, date: date, into: &out)
            }
        }
    }

    /// Has the writer write to the connection's output, or behind the answers that come first.
    func encode<Failure: Error>(
        _ exchange: Exchange,
        _ body: (inout ResponseWriter, inout [UInt8]) throws(Failure) -> Void
    ) throws(Failure) {
        lane.mustSettle(self)
        if inFlight.first === exchange {
            let before = output.count
            defer { unsentBytes.add(output.count - before, ordering: .relaxed) }
            try body(&exchange.writer, &output)
        } else {
            let before = exchange.waiting.count
            defer { unsentBytes.add(exchange.waiting.count - before, ordering: .relaxed) }
            try body(&exchange.writer, &exchange.waiting)
        }
    }

    /// While the server goes down, the last answer of a connection says so.
    private func closeIfLast(_ exchange: Exchange) {
        guard isDraining, inFlight.last === exchange, incoming == nil || incoming?.exchange === exchange else {
            return
        }
        exchange.writer.closeAfterwards()
    }

    /// Takes complete answers out of the front; what waited behind them goes out.
    private func retire() {
        while let first = inFlight.first, first.writer.isComplete {
            inFlight.removeFirst()
            idleSince = lane.now
            if !first.writer.keepsAlive {
                // Nothing may follow an answer that said `close`.
                stopRequests()
                let cancelled = inFlight
                inFlight = []
                incoming = nil
                for exchange in cancelled { exchange.cancel() }
                return
            }
            if let next = inFlight.first {
                output.append(contentsOf: next.waiting)
                next.waiting = []
            }
        }
    }

    /// Writes as much as the socket takes. Directly first; the write source is for what is left.
    func flush() {
        guard !isClosed, tls == nil ? flushPlain() : flushSealed() else { return }
        writePace = nil
        disarmWriting()
    }

    /// False when bytes are left, or the client is gone.
    private func flushPlain() -> Bool {
        guard let end = transmit(output, from: outputStart) else { return false }
        unsentBytes.subtract(end - outputStart, ordering: .relaxed)
        outputStart = end
        guard end == output.count else {
            armWriting()
            return false
        }
        emptyOutput()
        return true
    }

    func emptyOutput() {
        output.removeAll(keepingCapacity: output.capacity <= Self.keptCapacity)
        outputStart = 0
    }

    /// Hands bytes to the kernel.
    /// - Returns: where it stopped; nil when the client is gone, which has been seen to.
    func transmit(_ bytes: [UInt8], from start: Int) -> Int? {
        var start = start
        while start < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                send(descriptor, bytes.baseAddress! + start, bytes.count - start, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                start += count
                writePace?.pass(count)
            } else if count < 0, errno == EAGAIN {
                break
            } else if count < 0, errno == EINTR {
                continue
            } else {
                // EPIPE, ECONNRESET: nobody reads any more.
                drop()
                return nil
            }
        }
        return start
    }

    private func writable() {
        lane.mustSettle(self)
    }

    func armWriting() {
        if outputStart >= 64 << 10 {
            output.removeFirst(outputStart)
            outputStart = 0
        }
        if writePace == nil {
            writePace = PacedDeadline(
                start: lane.now,
                allowance: configuration.writeTimeout,
                rate: configuration.minimumWriteRate
            )
        }
        guard !isWriteArmed else { return }
        isWriteArmed = true
        if let writeSource { return writeSource.resume() }
        guard let copy = Descriptor(fcntl(descriptor, F_DUPFD_CLOEXEC, 0)) else {
            lane.core.log.error("no descriptor to wait for a slow reader with; it is dropped")
            return drop()
        }
        let number = copy.release()
        let source = DispatchSource.makeWriteSource(fileDescriptor: number, queue: lane.queue)
        source.setEventHandler { self.lane.perform { self.writable() } }
        source.setCancelHandler { Glibc.close(number) }
        writeSource = source
        source.activate()
    }

    private func disarmWriting() {
        guard isWriteArmed, let writeSource else { return }
        isWriteArmed = false
        writeSource.suspend()
    }
}
