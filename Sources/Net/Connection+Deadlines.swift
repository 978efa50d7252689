import CShims
import Dispatch
import HTTP1

// Time and absence: deadlines, the client's end, the client's going away.

extension Connection {
    /// Looks at every deadline that applies now; called by the lane's timer.
    func sweep() {
        let now = lane.now
        switch phase {
        case .closed:
            return
        case .lingering(let since):
            if now > since + configuration.lingerTimeout.nanoseconds { close() }
            return
        case .open:
            break
        }
        if writePace?.isOver(at: now) == true { return drop() }
        if let incoming {
            if incoming.pace?.isOver(at: now) == true {
                fail(Fault(.requestTimeout, "the body of the request came too slowly"))
            }
        } else if acceptsRequests, !parser.isIdle {
            if pending.isEmpty, now > headStart + configuration.headerTimeout.nanoseconds {
                fail(Fault(.requestTimeout, "the head of the request came too slowly"))
            }
        } else if isIdle {
            let timeout = isFresh ? configuration.headerTimeout : configuration.keepAliveTimeout
            if now > idleSince + timeout.nanoseconds {
                // Whether or not the client takes it.
                if tls != nil { _ = sayEnd() }
                return close()
            }
        }
        if isInputClosed || isReadSuspended { checkPeer() }
    }

    /// The socket has nothing left to read, ever. Requests that are complete are answered all the same.
    func reachEnd() {
        isInputClosed = true
        // A source on a socket at its end would fire for ever.
        suspendReading()
        lane.mustSettle(self)
        if case .lingering = phase { return close() }
        if catena_peer_state(descriptor) == CATENA_PEER_GONE { drop() }
    }

    /// Draws the consequences of the client's end once all its bytes are parsed.
    func takeEndIfReached() {
        guard isInputClosed, isOpen, pending.isEmpty else { return }
        if incoming?.pace != nil || !parser.isIdle && acceptsRequests {
            // RFC 9112, 8: an incomplete request.
            fail(Fault(.badRequest, "the request ended before it was complete"))
        } else if incoming == nil {
            acceptsRequests = false
            if !inFlight.isEmpty { watchEnd() }
        }
    }

    /// Finds out whether the kernel knows the client to be gone, where no read source tells: after the client's end, and
    /// while the input buffer is full.
    private func checkPeer() {
        switch catena_peer_state(descriptor) {
        case CATENA_PEER_GONE: drop()
        case CATENA_PEER_SENT_END: watchEnd()
        default: break
        }
    }

    /// The client sent its end while answers are due: goes by `HalfClosePolicy`.
    private func watchEnd() {
        guard !isWatchingEnd, !inFlight.isEmpty else { return }
        isWatchingEnd = true
        if tls?.isClosedByPeer == true { return watchDeparture() }
        switch configuration.halfClose {
        case .cancel: drop()
        case .answer: break
        case .probe(let grace): probe(after: grace)
        }
    }

    /// When to look for the reset that a probe provokes, in milliseconds after it: soon for a client nearby, later for
    /// one far away. After the last look the next probe goes out.
    private static let looks = [5, 50, 500, 2000]

    /// The client of TLS has said that it goes (RFC 9112, 9.8: before it closes). Some wait for our close_notify before
    /// they do, so no reset would ever come; but one that only ended its sending has some time to get its answer.
    private func watchDeparture() {
        guard tls?.allowsHalfClose == true else { return drop() }
        switch configuration.halfClose {
        case .cancel: drop()
        case .answer: break
        case .probe(let grace): later(grace) { self.drop() }
        }
    }

    private func probe(after delay: Duration) {
        later(delay) {
            if let first = self.inFlight.first {
                self.encode(first) { writer, out in writer.writeInterim(.processing, into: &out) }
            }
            self.look(0)
        }
    }

    private func look(_ index: Int) {
        later(.milliseconds(Self.looks[index])) {
            if index + 1 < Self.looks.count {
                self.look(index + 1)
            } else {
                self.probe(after: .zero)
            }
        }
    }

    /// Goes on after `delay` if answers are still due and the client is not known to be gone.
    private func later(_ delay: Duration, _ body: @escaping @Sendable () -> Void) {
        lane.queue.asyncAfter(deadline: .now() + .nanoseconds(Int(delay.nanoseconds))) {
            self.lane.perform {
                guard self.isOpen, !self.inFlight.isEmpty else {
                    self.isWatchingEnd = false
                    return
                }
                self.checkPeer()
                if self.isOpen { body() }
            }
        }
    }
}
