import Synchronization

/// A number that is what it was last set to. Setting and reading never wait, from any thread.
public final class Gauge: Sendable {
    private let current = Atomic<Int>(0)

    public init() {}

    public func set(_ value: Int) {
        current.store(value, ordering: .relaxed)
    }

    public var value: Int { current.load(ordering: .relaxed) }
}
