import COpenSSL
import Glibc

/// What a server shows and what it demands: certificate, key, versions, ciphers. Made once, then only read.
///
/// | | |
/// |---|---|
/// | versions | 1.2 and 1.3 (RFC 8996 retired the others) |
/// | ciphers of 1.2 | ECDHE with AES-GCM or ChaCha20: forward secrecy and AEAD only (RFC 9325, 4.2) |
/// | groups | X25519, P-256, P-384 |
/// | choice | the server's, but ChaCha20 first for clients that put it first (no AES in hardware) |
/// | off | compression (CRIME), renegotiation (RFC 9325, 3.5), early data (replay; RFC 8470), SSLv2 hellos |
/// | resumption | by tickets; no session is kept in memory |
/// | ALPN | `http/1.1`; a client that offers other protocols only is refused (RFC 7301, 3.2) |
///
/// `@unchecked Sendable`: an SSL_CTX counts its references atomically and is not changed after `init`.
public final class TLSContext: @unchecked Sendable {
    let pointer: OpaquePointer
    /// When the certificate's validity ends, in OpenSSL's words: `Jun  1 12:00:00 2027 GMT`.
    public let validUntil: String
    /// Whether its validity has ended, or not begun.
    public let isOutsideValidity: Bool

    /// The protocol of RFC 7301, 6 that this server speaks, with the length before it, as it stands in the extension.
    private static let alpn: StaticString = "\u{8}http/1.1"

    /// - Parameters:
    ///   - certificate: the path of a PEM file: the server's certificate, then the ones between it and the root.
    ///   - key: the path of a PEM file with the certificate's private key. It may be the same file.
    public init(certificate: String, key: String) throws(TLSFileError) {
        OpenSSLErrors.clear()
        guard let pointer = SSL_CTX_new(TLS_server_method()) else {
            throw TLSFileError(certificate, .refused(OpenSSLErrors.takeLast()))
        }
        do throws(TLSFileError) {
            try Self.load(certificate: certificate, key: key, into: pointer)
        } catch {
            SSL_CTX_free(pointer)
            throw error
        }
        Self.setRules(pointer)
        self.pointer = pointer
        let leaf = SSL_CTX_get0_certificate(pointer)
        let (from, until) = (X509_get0_notBefore(leaf), X509_get0_notAfter(leaf))
        validUntil = Self.text(until)
        isOutsideValidity = X509_cmp_current_time(until) < 0 || X509_cmp_current_time(from) > 0
    }

    deinit {
        SSL_CTX_free(pointer)
    }

    private static func setRules(_ context: OpaquePointer) {
        _ = catena_ssl_set_minimum_version(context, TLS1_2_VERSION)
        _ = catena_ssl_set_maximum_version(context, TLS1_3_VERSION)
        // 112 bits: no RSA below 2048, no SHA-1 signatures.
        SSL_CTX_set_security_level(context, 2)
        SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20")
        _ = catena_ssl_set_groups(context, "X25519:P-256:P-384")
        SSL_CTX_set_options(
            context,
            catena_ssl_no_compression | catena_ssl_no_renegotiation | catena_ssl_server_preference
                | catena_ssl_prioritize_chacha | catena_ssl_ignore_unexpected_eof
        )
        catena_ssl_release_buffers(context)
        catena_ssl_keep_no_sessions(context)
        SSL_CTX_set_session_id_context(context, "catena", 6)
        SSL_CTX_set_alpn_select_cb(
            context,
            { _, selected, selectedLength, offered, offeredLength, _ in
                let (own, ownLength) = (TLSContext.alpn.utf8Start, UInt32(TLSContext.alpn.utf8CodeUnitCount))
                var choice: UnsafeMutablePointer<UInt8>?
                let result = SSL_select_next_proto(&choice, selectedLength, own, ownLength, offered, offeredLength)
                selected?.pointee = UnsafePointer(choice)
                return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL
            },
            nil
        )
    }

    private static func load(
        certificate: String,
        key: String,
        into context: OpaquePointer
    ) throws(TLSFileError) {
        let certificateText = try text(ofFile: certificate)
        let keyText = try text(ofFile: key)
        guard certificateText.contains("-----BEGIN CERTIFICATE-----") else {
            throw TLSFileError(certificate, .noCertificate)
        }
        guard keyText.contains("PRIVATE KEY-----") else { throw TLSFileError(key, .noKey) }
        // OpenSSL would ask for the passphrase on the terminal.
        SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in 0 }
        guard !isEncrypted(keyText) else { throw TLSFileError(key, .encryptedKey) }
        guard SSL_CTX_use_certificate_chain_file(context, certificate) == 1 else {
            throw TLSFileError(certificate, .refused(OpenSSLErrors.takeLast()))
        }
        if SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 {
            // X509_R_KEY_VALUES_MISMATCH, X509_R_KEY_TYPE_MISMATCH: it compares the two as it takes the key.
            let reason = OpenSSLErrors.takeLast()
            throw TLSFileError(
                key,
                reason.contains("mismatch") ? .mismatch(certificate: certificate) : .refused(reason)
            )
        }
        guard SSL_CTX_check_private_key(context) == 1 else {
            OpenSSLErrors.clear()
            throw TLSFileError(key, .mismatch(certificate: certificate))
        }
    }

    /// `-----BEGIN ENCRYPTED PRIVATE KEY-----`, or the older `Proc-Type: 4,ENCRYPTED` (RFC 1421).
    private static func isEncrypted(_ pem: String) -> Bool {
        pem.contains("BEGIN ENCRYPTED PRIVATE KEY") || pem.contains("Proc-Type: 4,ENCRYPTED")
    }

    /// The start of a file, 1 MiB at most.
    private static func text(ofFile path: String) throws(TLSFileError) -> String {
        guard let file = fopen(path, "re") else {
            throw TLSFileError(path, .unreadable(String(cString: strerror(errno))))
        }
        defer { fclose(file) }
        let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 20) { buffer, count in
            count = fread(buffer.baseAddress, 1, buffer.count, file)
        }
        guard ferror(file) == 0 else { throw TLSFileError(path, .unreadable(String(cString: strerror(errno)))) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func text(_ time: UnsafePointer<ASN1_TIME>?) -> String {
        guard let bio = catena_bio_memory() else { return "" }
        defer { BIO_free(bio) }
        ASN1_TIME_print(bio, time)
        var bytes: UnsafeMutablePointer<CChar>?
        let count = catena_bio_contents(bio, &bytes)
        return String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
    }
}
