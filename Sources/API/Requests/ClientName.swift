/// A name that a client chose, for a session or for its request: 1 to 128 visible ASCII characters, so that it can
/// stand in headers, log lines and the keys of a balancer.
enum ClientName {
    static let maximumLength = 128

    static func isValid(_ name: String) -> Bool {
        (1...maximumLength).contains(name.utf8.count) && name.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
