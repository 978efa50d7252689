/// Why a certificate and its key cannot be used: which file, what is wrong with it, what would be right.
public struct TLSFileError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Reason: Sendable, Hashable {
        /// The system's words, such as "No such file or directory".
        case unreadable(String)
        case noCertificate
        case noKey
        case encryptedKey
        /// The key is not the certificate's.
        case mismatch(certificate: String)
        /// OpenSSL's words, such as "ee key too small".
        case refused(String)
    }

    public var path: String
    public var reason: Reason

    init(_ path: String, _ reason: Reason) {
        self.path = path
        self.reason = reason
    }

    public var description: String {
        "\(path): " + explanation
    }

    private var explanation: String {
        switch reason {
        case .unreadable(let why):
            "the file cannot be read (\(why)); give the path of a PEM file that this user may read"
        case .noCertificate:
            "there is no certificate in it; expected PEM, the server's certificate first and then the ones that "
                + "signed it (-----BEGIN CERTIFICATE-----)"
        case .noKey:
            "there is no private key in it; expected PEM (-----BEGIN PRIVATE KEY-----)"
        case .encryptedKey:
            "the private key is encrypted, and there is nobody to ask for its passphrase; store it without one, "
                + "readable for this user only"
        case .mismatch(let certificate):
            "this is not the private key of the first certificate in \(certificate)"
        case .refused(let why):
            "OpenSSL refuses it: \(why)"
        }
    }
}
