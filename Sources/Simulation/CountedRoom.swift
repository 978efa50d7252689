import Core
import Scheduling

/// KV memory that is only counted: no sharing, no sessions.
struct CountedRoom: KVRoom {
    let blocks: Int
    let blockTokens: Int
    /// By the number of the request.
    private var held: [Int]
    private var used = 0

    /// - Parameter requests: have the numbers from 0 on.
    init(blocks: Int, blockTokens: Int, requests: Int) {
        self.blocks = blocks
        self.blockTokens = blockTokens
        held = [Int](repeating: 0, count: requests)
    }

    func canTake(blocks wanted: Int) -> Bool { used + wanted <= blocks }

    mutating func begin(_ id: RequestID, known: Int) -> Int { 0 }

    mutating func reserve(_ id: RequestID, count: Int) -> Bool {
        let needed = (count + blockTokens - 1) / blockTokens, own = held[Int(id.number)]
        guard needed > own else { return true }
        guard used + needed - own <= blocks else { return false }
        used += needed - own
        held[Int(id.number)] = needed
        return true
    }

    mutating func giveUp(_ id: RequestID) {
        used -= held[Int(id.number)]
        held[Int(id.number)] = 0
    }
}
