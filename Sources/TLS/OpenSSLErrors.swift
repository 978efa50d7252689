import COpenSSL

/// OpenSSL's queue of errors, one for each thread. Whoever calls into OpenSSL empties it first: what an earlier call on
/// the same thread left there would be taken for this call's.
enum OpenSSLErrors {
    static func clear() {
        ERR_clear_error()
    }

    /// The words of the last error, `wrong version number`, and empties the queue.
    static func takeLast() -> String {
        let code = ERR_peek_last_error()
        defer { ERR_clear_error() }
        guard code != 0, let text = ERR_reason_error_string(code) else { return "unknown error" }
        return String(cString: text)
    }
}
