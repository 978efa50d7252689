import Core
import Scheduling

/// KV memory that is only counted: no sharing, no sessions.
struct CountedRoom: KVRoom {
    let blocks: Int
    let blockTokens: Int
    private var held: [RequestID: Int] = [:]
    private var used = 0

    init(blocks: Int, blockTokens: Int) {
        self.blocks = blocks
        self.blockTokens = blockTokens
    }

    func canTake(blocks wanted: Int) -> Bool { used + wanted <= blocks }

    mutating func begin(_ id: RequestID, known: Int) -> Int { 0 }

    mutating func reserve(_ id: RequestID, count: Int) -> Bool {
        let needed = (count + blockTokens - 1) / blockTokens, own = held[id] ?? 0
        guard needed > own else { return true }
        guard used + needed - own <= blocks else { return false }
        used += needed - own
        held[id] = needed
        return true
    }

    mutating func giveUp(_ id: RequestID) {
        used -= held.removeValue(forKey: id) ?? 0
    }
}
