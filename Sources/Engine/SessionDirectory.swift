import Core
import Synchronization

/// What is known of every session in memory, readable from any thread while the engine computes. The engine thread alone
/// adds to it.
final class SessionDirectory: Sendable {
    struct Entry: Sendable {
        var tokens: [TokenID]
        var salt: String?
        /// Of its keys and values.
        var bytes: Int
        var used: ContinuousClock.Instant
    }

    private let entries = Mutex<[String: Entry]>([:])

    func set(_ id: String, _ entry: Entry) {
        entries.withLock { $0[id] = entry }
    }

    func remove(_ id: String) {
        entries.withLock { $0[id] = nil }
    }

    subscript(id: String) -> Entry? {
        entries.withLock { $0[id] }
    }

    var isEmpty: Bool {
        entries.withLock { $0.isEmpty }
    }

    var all: [String: Entry] {
        entries.withLock { $0 }
    }
}
