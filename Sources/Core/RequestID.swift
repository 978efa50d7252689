import Synchronization

/// One request inside this process. A number, because the engine looks requests up in every step; the names that clients
/// see (`cmpl-…`) are the API's.
public struct RequestID: Sendable, Hashable {
    public let number: UInt64

    public init(_ number: UInt64) {
        self.number = number
    }

    private static let issued = Atomic<UInt64>(0)

    /// One that no other request of this process has.
    public static func next() -> RequestID {
        RequestID(issued.wrappingAdd(1, ordering: .relaxed).newValue)
    }
}
