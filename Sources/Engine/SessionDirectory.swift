import Core
import Synchronization

/// The tokens of every session, readable from any thread while the engine computes. The engine thread alone writes it.
final class SessionDirectory: Sendable {
    private let tokens = Mutex<[String: [TokenID]]>([:])

    func set(_ id: String, _ value: [TokenID]) {
        tokens.withLock { $0[id] = value }
    }

    func remove(_ id: String) {
        tokens.withLock { $0[id] = nil }
    }

    subscript(id: String) -> [TokenID] {
        tokens.withLock { $0[id] ?? [] }
    }
}
