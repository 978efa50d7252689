// Blocks in the order of their last use.

/// A doubly linked list through blocks, each of which is in it at most once: the least recently used first.
///
/// The links live in arrays with a place for every block, so that nothing allocates. Cost: O(1) for everything.
struct RecencyList: Sendable {
    private static let none: BlockID = -1

    private(set) var count = 0
    /// The least recently used block.
    private var head = RecencyList.none
    /// The most recently used block.
    private var tail = RecencyList.none
    /// The next older and the next younger neighbour of each block in the list.
    private var older: [BlockID]
    private var younger: [BlockID]

    init(blocks: Int) {
        older = Array(repeating: Self.none, count: blocks)
        younger = older
    }

    /// The least recently used block.
    var first: BlockID? { head == Self.none ? nil : head }

    /// The blocks, the least recently used first.
    var elements: some Sequence<BlockID> {
        sequence(state: head) { [younger] block -> BlockID? in
            guard block != Self.none else { return nil }
            defer { block = younger[Int(block)] }
            return block
        }
    }

    /// Adds a block that is not in the list, as the one used last.
    mutating func append(_ block: BlockID) {
        older[Int(block)] = tail
        younger[Int(block)] = Self.none
        if tail == Self.none { head = block } else { younger[Int(tail)] = block }
        tail = block
        count += 1
    }

    /// Takes out a block that is in the list.
    mutating func remove(_ block: BlockID) {
        let (before, after) = (older[Int(block)], younger[Int(block)])
        if before == Self.none { head = after } else { younger[Int(before)] = after }
        if after == Self.none { tail = before } else { older[Int(after)] = before }
        count -= 1
    }
}
