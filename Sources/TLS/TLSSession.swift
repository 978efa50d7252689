import COpenSSL

/// The server's side of one TLS connection. Bytes go in and come out; it knows no sockets.
///
/// ```swift
/// try session.receive(ciphertext, through: buffer) { plaintext in ... }
/// session.takeOutput(into: &wire)                        // handshake, alerts, tickets: always, after each call
/// if session.isEstablished { try session.seal(answer) }  // then takeOutput again
/// session.sayEnd()                                       // close_notify; then takeOutput again
/// ```
/// Implementation: OpenSSL between two memory BIOs. Neither holds bytes for long: what is received is read to its end at
/// once (a record that is not complete waits in OpenSSL, at most 16 KiB of it), and what is to be sent is taken out by
/// the caller, who must not go on sealing while the network does not take it.
///
/// Not Sendable: it belongs to whoever owns the connection.
public final class TLSSession {
    /// The most plaintext of one record (RFC 8446, 5.1): what `seal` should be given at a time, and the room that
    /// `receive` needs.
    public static let recordSize = 16 << 10

    private let session: OpaquePointer
    /// Ciphertext from the client. The session owns both BIOs.
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer

    /// No byte has come yet.
    public private(set) var isFresh = true
    /// The client has said (close_notify) that it sends no more.
    public private(set) var isClosedByPeer = false
    private var hasFailed = false
    private var hasSaidEnd = false

    /// Nil: out of memory.
    public init?(_ context: TLSContext) {
        guard let session = SSL_new(context.pointer) else { return nil }
        guard let incoming = catena_bio_memory(), let outgoing = catena_bio_memory() else {
            SSL_free(session)
            return nil
        }
        SSL_set_bio(session, incoming, outgoing)
        SSL_set_accept_state(session)
        self.session = session
        self.incoming = incoming
        self.outgoing = outgoing
    }

    deinit {
        SSL_free(session)
    }

    /// Whether the handshake is over, and answers may be sealed.
    public var isEstablished: Bool { !hasFailed && SSL_is_init_finished(session) == 1 }

    /// Whether a client that has sent close_notify may still read: so since 1.3 (RFC 8446, 6.1). Before, the server was to
    /// drop what it had not sent (RFC 5246, 7.2.1).
    public var allowsHalfClose: Bool { SSL_version(session) >= TLS1_3_VERSION }

    /// `TLSv1.3`, for logs and tests.
    public var version: String { String(cString: SSL_get_version(session)) }

    /// Takes what came over the network, any part of any number of records.
    ///
    /// - Parameters:
    ///   - room: where plaintext is put, at least `recordSize` bytes.
    ///   - plaintext: called for each piece, which is valid for the call only.
    /// - Throws: `TLSFailure`; the alert that tells the client is then in the output, and nothing more can be received.
    public func receive(
        _ ciphertext: Span<UInt8>,
        through room: UnsafeMutableBufferPointer<UInt8>,
        _ plaintext: (Span<UInt8>) -> Void
    ) throws(TLSFailure) {
        guard !hasFailed, !isClosedByPeer, !ciphertext.isEmpty else { return }
        isFresh = false
        var offset = 0
        // In pieces, because a BIO keeps the memory of the most it ever held.
        while offset < ciphertext.count, !isClosedByPeer {
            let piece = ciphertext.extracting(offset..<min(offset + Self.recordSize, ciphertext.count))
            offset += piece.count
            let count = piece.withUnsafeBufferPointer { BIO_write(incoming, $0.baseAddress, Int32($0.count)) }
            guard count == piece.count else { throw fail("out of memory") }
            try readAll(room, plaintext)
        }
    }

    private func readAll(
        _ room: UnsafeMutableBufferPointer<UInt8>,
        _ plaintext: (Span<UInt8>) -> Void
    ) throws(TLSFailure) {
        while true {
            OpenSSLErrors.clear()
            var count = 0
            let result = SSL_read_ex(session, room.baseAddress, room.count, &count)
            if result == 1 {
                plaintext(Span(_unsafeElements: UnsafeBufferPointer(rebasing: room[..<count])))
                continue
            }
            switch SSL_get_error(session, result) {
            case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
                return
            case SSL_ERROR_ZERO_RETURN:
                isClosedByPeer = true
                return
            default:
                throw fail(OpenSSLErrors.takeLast())
            }
        }
    }

    /// Encrypts; the result is in the output. Memory grows by as much, so give it a record at a time.
    /// - Precondition: `isEstablished`.
    public func seal(_ plaintext: UnsafeRawBufferPointer) throws(TLSFailure) {
        precondition(isEstablished, "seal before the handshake is over")
        guard !plaintext.isEmpty else { return }
        OpenSSLErrors.clear()
        var count = 0
        guard SSL_write_ex(session, plaintext.baseAddress, plaintext.count, &count) == 1, count == plaintext.count
        else {
            throw fail(OpenSSLErrors.takeLast())
        }
    }

    /// Says that nothing more is sent (close_notify): without it the client must take the answer for cut off (RFC 9112,
    /// 9.8). Does nothing the second time, before the end of the handshake, and after a failure.
    public func sayEnd() {
        guard isEstablished, !hasSaidEnd else { return }
        hasSaidEnd = true
        OpenSSLErrors.clear()
        SSL_shutdown(session)
    }

    /// Moves what is to be sent to the end of `wire`.
    public func takeOutput(into wire: inout [UInt8]) {
        var bytes: UnsafeMutablePointer<CChar>?
        let count = catena_bio_contents(outgoing, &bytes)
        guard count > 0 else { return }
        wire.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
        catena_bio_clear(outgoing)
    }

    private func fail(_ reason: String) -> TLSFailure {
        hasFailed = true
        return TLSFailure(reason: reason)
    }
}

/// The client broke the protocol, speaks another one, or wants what this server refuses.
public struct TLSFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// OpenSSL's words, such as `unsupported protocol` or `no shared cipher`.
    public var reason: String

    public var description: String { reason }
}
