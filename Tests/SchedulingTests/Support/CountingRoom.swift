import Core
import Scheduling
import Testing

/// KV memory that counts blocks, and can pretend that a request's first tokens are there.
struct CountingRoom: KVRoom {
    let blocks: Int
    let blockTokens: Int
    /// What ``begin(_:known:)`` finds.
    var cached: [RequestID: Int] = [:]
    private(set) var held: [RequestID: Int] = [:]

    init(blocks: Int, blockTokens: Int = 16) {
        self.blocks = blocks
        self.blockTokens = blockTokens
    }

    var used: Int { held.values.reduce(0, +) }

    func canTake(blocks wanted: Int) -> Bool { used + wanted <= blocks }

    mutating func begin(_ id: RequestID, known: Int) -> Int {
        #expect(held[id] == nil, "\(id) begins twice")
        let found = min(cached[id] ?? 0, known - 1)
        let needed = (found + blockTokens - 1) / blockTokens
        guard canTake(blocks: needed) else { return 0 }
        if needed > 0 { held[id] = needed }
        return found
    }

    mutating func reserve(_ id: RequestID, count: Int) -> Bool {
        let needed = (count + blockTokens - 1) / blockTokens - (held[id] ?? 0)
        guard needed > 0 else { return true }
        guard canTake(blocks: needed) else { return false }
        held[id, default: 0] += needed
        return true
    }

    mutating func giveUp(_ id: RequestID) { held[id] = nil }
}
