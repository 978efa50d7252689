import Glibc

/// Owner of a file descriptor: closed when it goes out of scope, unless released to another owner.
struct Descriptor: ~Copyable {
    private let raw: Int32

    /// Takes over an open descriptor; nil for a negative one, which is how calls report failure.
    init?(_ raw: Int32) {
        guard raw >= 0 else { return nil }
        self.raw = raw
    }

    /// For calls that do not keep it.
    var number: Int32 { raw }

    /// Gives up ownership: closing is the caller's business now.
    consuming func release() -> Int32 {
        let raw = raw
        discard self
        return raw
    }

    deinit {
        close(raw)
    }
}
