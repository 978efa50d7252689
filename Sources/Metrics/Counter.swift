import Synchronization

/// A number that only grows. Adding is one atomic instruction, from any thread; reading never waits.
public final class Counter: Sendable {
    private let total = Atomic<Int>(0)

    public init() {}

    /// - Precondition: `amount` is not negative.
    public func add(_ amount: Int = 1) {
        precondition(amount >= 0, "a counter only grows")
        total.add(amount, ordering: .relaxed)
    }

    public var value: Int { total.load(ordering: .relaxed) }
}
