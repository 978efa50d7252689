import COpenSSL
import Glibc

/// A self-signed certificate and its key, made for one test, in PEM files of a folder of its own that goes away with it.
public final class TestCertificate: Sendable {
    public let folder: String
    public let certificate: String
    public let key: String

    /// - Parameters:
    ///   - name: its common name, and what clients may call the server beside `localhost`.
    ///   - lifetime: seconds of validity from now on; negative for one that is over.
    public init(name: String = "localhost", lifetime: Int = 3600) {
        var template = Array("/tmp/catena-tls-XXXXXX".utf8CString)
        folder = String(cString: mkdtemp(&template))
        certificate = folder + "/certificate.pem"
        key = folder + "/key.pem"
        write(name: name, lifetime: lifetime)
    }

    deinit {
        unlink(certificate)
        unlink(key)
        rmdir(folder)
    }

    /// Makes another certificate with another key in place of the first.
    public func write(name: String, lifetime: Int = 3600) {
        let pair = Self.newKey()
        defer { EVP_PKEY_free(pair) }
        let x509 = X509_new()
        defer { X509_free(x509) }
        X509_set_version(x509, 2)
        ASN1_INTEGER_set_int64(X509_get_serialNumber(x509), Int64.random(in: 1...Int64.max))
        X509_gmtime_adj(X509_getm_notBefore(x509), -86400)
        X509_gmtime_adj(X509_getm_notAfter(x509), lifetime)
        X509_set_pubkey(x509, pair)
        let subject = X509_get_subject_name(x509)
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name, -1, -1, 0)
        X509_set_issuer_name(x509, subject)
        X509_sign(x509, pair, EVP_sha256())
        save(certificate) { PEM_write_X509($0, x509) }
        save(key) { PEM_write_PrivateKey($0, pair, nil, nil, 0, nil, nil) }
    }

    private static func newKey() -> OpaquePointer? {
        let context = EVP_PKEY_CTX_new_from_name(nil, "EC", nil)
        defer { EVP_PKEY_CTX_free(context) }
        EVP_PKEY_keygen_init(context)
        EVP_PKEY_CTX_set_group_name(context, "P-256")
        var key: OpaquePointer?
        EVP_PKEY_generate(context, &key)
        return key
    }

    private func save(_ path: String, _ write: (UnsafeMutablePointer<FILE>) -> Int32) {
        guard let file = fopen(path, "w") else { fatalError("cannot write \(path)") }
        guard write(file) == 1 else { fatalError("OpenSSL cannot write \(path)") }
        fclose(file)
    }
}
