import Glibc
import HTTP1
import TLS

// TLS between the socket and everything else: ciphertext in and out, its own end, its failures.

extension Connection {
    /// Ciphertext that waits for the socket, at most, beside a record: what TLS itself has to say. Attack: messages that
    /// TLS must answer (key updates), from a client that does not read.
    private static let sealedLimit = 64 << 10

    /// Takes ciphertext off the wire, and what it holds to `ingest`. No plaintext waits in between.
    func open(_ bytes: Span<UInt8>) {
        lane.mustSettle(self)
        // While lingering, bytes are nobody's.
        guard isOpen, let tls else { return }
        if tls.isFresh, Self.isPlainHTTP(bytes[0]) {
            self.tls = nil
            return fail(Fault(.badRequest, "this port speaks HTTPS, and the request came without TLS; use https://"))
        }
        let wasEstablished = tls.isEstablished
        do throws(TLSFailure) {
            try tls.receive(bytes, through: lane.plainBuffer) { plaintext in ingest(plaintext) }
        } catch {
            if wasEstablished {
                lane.core.log.debug("TLS with \(peer) failed: \(error)")
            } else {
                tellOfHandshake(error)
            }
            return breakOff()
        }
        guard isOpen else { return }
        if tls.isClosedByPeer { reachEnd() }
        flush()
        if sealed.count - sealedStart > Self.sealedLimit { drop() }
    }

    /// A handshake that failed is no request and has no line in the access log, and its client sees an alert at most: the
    /// operator of a certificate that clients refuse, or of clients that are too old, would look for it in vain.
    private func tellOfHandshake(_ failure: TLSFailure) {
        guard let leftOut = lane.core.handshakeLines.withLock({ $0.take(now: lane.now) }) else { return }
        let others = leftOut == 0 ? "" : " (\(leftOut) more were not told of)"
        lane.core.log.info("the TLS handshake with \(peer) failed: \(failure)\(others)")
    }

    /// The first byte of a request is a letter of its method; that of a TLS record is 22 (RFC 8446, 5.1).
    private static func isPlainHTTP(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    }

    /// Seals output record by record, each when the one before it is with the kernel.
    /// - Returns: false when bytes are left, or the client is gone.
    func flushSealed() -> Bool {
        guard let tls else { return true }
        while true {
            tls.takeOutput(into: &sealed)
            guard let end = transmit(sealed, from: sealedStart) else { return false }
            sealedStart = end
            guard end == sealed.count else {
                armWriting()
                return false
            }
            sealed.removeAll(keepingCapacity: true)
            sealedStart = 0
            let count = min(output.count - outputStart, TLSSession.recordSize)
            // What is said before the handshake is over waits for it.
            guard count > 0, tls.isEstablished else { break }
            do throws(TLSFailure) {
                try seal(count, tls)
            } catch {
                lane.core.log.error("TLS cannot encrypt: \(error)")
                drop()
                return false
            }
        }
        if sealed.capacity > Self.keptCapacity { sealed = [] }
        if outputStart == output.count { emptyOutput() }
        return true
    }

    private func seal(_ count: Int, _ tls: TLSSession) throws(TLSFailure) {
        let range = outputStart..<(outputStart + count)
        let result = output.withUnsafeBytes { bytes in
            Result { () throws(TLSFailure) in try tls.seal(UnsafeRawBufferPointer(rebasing: bytes[range])) }
        }
        try result.get()
        outputStart = range.upperBound
        unsentBytes.subtract(count, ordering: .relaxed)
    }

    /// Says close_notify. Without it the client would have to take the last answer for cut off.
    /// - Returns: whether it is with the kernel, and the connection still there.
    func sayEnd() -> Bool {
        tls?.sayEnd()
        flush()
        return isOpen && sealed.isEmpty
    }

    /// The client broke the protocol. The alert that says so is in the output; nothing else can be said or heard.
    private func breakOff() {
        stopRequests()
        let cancelled = inFlight
        inFlight = []
        incoming = nil
        emptyOutput()
        for exchange in cancelled { exchange.cancel() }
    }
}
