import COpenSSL

/// The client's side of one TLS connection, in memory. It does not verify certificates, but tells whose it saw.
public final class TLSClientSession {
    public struct Refusal: Error, CustomStringConvertible {
        public var description: String
    }

    private let context: OpaquePointer
    private let session: OpaquePointer
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    public private(set) var isClosedByPeer = false

    /// - Parameters:
    ///   - version: the only version that it speaks, such as `TLS1_2_VERSION`; 0 for all.
    ///   - ciphers: of TLS 1.2, in OpenSSL's notation.
    ///   - alpn: protocols to offer; empty for none.
    public init(version: Int32 = 0, ciphers: String? = nil, alpn: [String] = []) {
        context = SSL_CTX_new(TLS_client_method())
        // Clients of this kind exist, and it is the server that has to refuse them.
        SSL_CTX_set_security_level(context, 0)
        _ = catena_ssl_set_minimum_version(context, version)
        _ = catena_ssl_set_maximum_version(context, version)
        if let ciphers { SSL_CTX_set_cipher_list(context, ciphers) }
        session = SSL_new(context)
        incoming = catena_bio_memory()
        outgoing = catena_bio_memory()
        SSL_set_bio(session, incoming, outgoing)
        SSL_set_connect_state(session)
        let protocols = alpn.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        if !protocols.isEmpty { SSL_set_alpn_protos(session, protocols, UInt32(protocols.count)) }
    }

    deinit {
        SSL_free(session)
        SSL_CTX_free(context)
    }

    public var isEstablished: Bool { SSL_is_init_finished(session) == 1 }
    public var version: String { String(cString: SSL_get_version(session)) }
    public var cipher: String { String(cString: SSL_CIPHER_get_name(SSL_get_current_cipher(session))) }

    /// What ALPN settled on; empty for nothing.
    public var alpn: String {
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        SSL_get0_alpn_selected(session, &name, &length)
        return String(decoding: UnsafeBufferPointer(start: name, count: Int(length)), as: UTF8.self)
    }

    /// The common name of the server's certificate.
    public var peerName: String {
        let name = X509_get_subject_name(SSL_get0_peer_certificate(session))
        var bytes = [CChar](repeating: 0, count: 256)
        let count = X509_NAME_get_text_by_NID(name, NID_commonName, &bytes, Int32(bytes.count))
        return String(decoding: bytes.prefix(Int(max(count, 0))).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Says what is to be said next in the handshake.
    public func goOn() {
        ERR_clear_error()
        SSL_do_handshake(session)
    }

    /// Takes bytes of the server; the plaintext that is in them.
    public func receive(_ bytes: some Collection<UInt8>) throws -> [UInt8] {
        var bytes = Array(bytes)
        BIO_write(incoming, &bytes, Int32(bytes.count))
        var plaintext: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            ERR_clear_error()
            let count = SSL_read(session, &room, Int32(room.count))
            if count > 0 {
                plaintext += room[..<Int(count)]
                continue
            }
            switch SSL_get_error(session, count) {
            case SSL_ERROR_WANT_READ: return plaintext
            case SSL_ERROR_ZERO_RETURN:
                isClosedByPeer = true
                return plaintext
            default:
                let text = ERR_reason_error_string(ERR_peek_last_error()).map { String(cString: $0) }
                throw Refusal(description: text ?? "unknown")
            }
        }
    }

    public func seal(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        SSL_write(session, bytes, Int32(bytes.count))
    }

    public func sayEnd() { SSL_shutdown(session) }

    /// Asks the server to update its keys too (RFC 8446, 4.6.3), which it must answer.
    public func requestKeyUpdate() {
        SSL_key_update(session, SSL_KEY_UPDATE_REQUESTED)
        SSL_do_handshake(session)
    }

    /// Asks for another handshake in the middle of a connection; TLS 1.2 only.
    public func renegotiate() {
        SSL_renegotiate(session)
        SSL_do_handshake(session)
    }

    public func takeOutput() -> [UInt8] {
        var bytes: UnsafeMutablePointer<CChar>?
        let count = catena_bio_contents(outgoing, &bytes)
        defer { catena_bio_clear(outgoing) }
        return Array(UnsafeRawBufferPointer(start: bytes, count: count))
    }
}
