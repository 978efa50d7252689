import Synchronization

/// How much memory all request bodies together may take.
///
/// Attack: a limit for each body times the number of connections is more than the machine has. Only bytes that have come
/// count, not those that are announced: else a few hundred clients that announce and never send would use it all up.
final class BodyBudget: Sendable {
    private let limit: Int
    private let used = Atomic<Int>(0)

    init(limit: Int) {
        self.limit = limit
    }

    /// Bytes in use now.
    var usedBytes: Int { used.load(ordering: .relaxed) }

    /// Takes `count` bytes; false, and nothing is taken, when they would exceed the limit.
    fileprivate func take(_ count: Int) -> Bool {
        guard used.add(count, ordering: .relaxed).newValue <= limit else {
            used.subtract(count, ordering: .relaxed)
            return false
        }
        return true
    }

    fileprivate func giveBack(_ count: Int) {
        used.subtract(count, ordering: .relaxed)
    }
}

/// The part of the budget that one body has; given back when the last holder lets go: the connection while the body
/// comes, the handler while it reads it.
///
/// `@unchecked Sendable`: `size` changes on the connection's lane only, before the lease is handed on.
final class BodyLease: @unchecked Sendable {
    private let budget: BodyBudget
    private var size = 0

    init(_ budget: BodyBudget) {
        self.budget = budget
    }

    /// False when all bodies together may not have so much.
    func grow(by count: Int) -> Bool {
        guard budget.take(count) else { return false }
        size += count
        return true
    }

    deinit {
        budget.giveBack(size)
    }
}
