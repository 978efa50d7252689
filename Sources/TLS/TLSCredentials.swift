import Synchronization

/// A certificate and its key as two files, and what was last read from them.
///
/// ```swift
/// let credentials = try TLSCredentials(certificate: "fullchain.pem", key: "key.pem")
/// ...
/// try credentials.reload()    // the files were renewed; a connection that is open keeps what it began with
/// ```
public final class TLSCredentials: Sendable {
    public let certificate: String
    public let key: String
    private let context: Mutex<TLSContext>

    /// - Throws: what is wrong with the files.
    public init(certificate: String, key: String) throws(TLSFileError) {
        self.certificate = certificate
        self.key = key
        context = Mutex(try TLSContext(certificate: certificate, key: key))
    }

    /// What new connections are to use.
    public var current: TLSContext {
        context.withLock { $0 }
    }

    /// Reads the files again.
    /// - Throws: what is wrong with them; what was read before stays in use.
    public func reload() throws(TLSFileError) {
        let renewed = try TLSContext(certificate: certificate, key: key)
        context.withLock { $0 = renewed }
    }
}
