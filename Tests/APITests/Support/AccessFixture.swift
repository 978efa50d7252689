import API
import Access
import Synchronization

/// Keeps what the access log is told.
final class FakeLog: AccessLogSink {
    private let kept = Mutex<[AccessEntry]>([])

    var entries: [AccessEntry] { kept.withLock { $0 } }

    func record(_ entry: AccessEntry) {
        kept.withLock { $0.append(entry) }
    }
}

extension AccessControl {
    /// Keys by their fields, `alice` for `name=alice`; the key of each is its name with `-key` behind.
    static func keys(_ fields: String...) throws -> AccessControl {
        let lines = fields.map { fields in
            let name = fields.prefix { $0 != " " }
            return "\(KeyHash(of: "\(name)-key")) name=\(fields)"
        }
        var access = AccessControl()
        let keys = KeyStore(lines: lines, file: nil)
        try keys.load()
        access.keys = keys
        return access
    }
}
