import Core

/// The KV memory as the scheduler uses it. The engine's is the block pool with its prefix index and sessions; tests and
/// the simulator count blocks.
public protocol KVRoom {
    /// Whether so many blocks can be had: free ones, and those that only caches and idle sessions hold.
    func canTake(blocks: Int) -> Bool

    /// Gives a request the KV of its first tokens that is already there.
    ///
    /// - Parameter known: its tokens: the prompt, and what was generated before it was preempted.
    /// - Returns: how many of them have their KV; at most `known - 1`, for the last must run to give the next logits.
    mutating func begin(_ id: RequestID, known: Int) -> Int

    /// Makes room for a request's tokens `0 ..< count`.
    ///
    /// - Returns: false, with nothing changed, when too few blocks can be had.
    mutating func reserve(_ id: RequestID, count: Int) -> Bool

    /// Takes back what a request holds. Its tokens stay known, and may be found by ``begin(_:known:)`` again.
    mutating func giveUp(_ id: RequestID)
}
