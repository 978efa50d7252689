// The merges of a byte-pair encoding by pair: a hash table made for two small integers, as the innermost loop asks it.

/// Maps a pair of token ids to the rank of its merge and the token it makes.
///
/// Open addressing with linear probing, at most half full. A general `Dictionary` costs about four times as much per look-up.
struct MergeTable: Sendable {
    struct Merge: Sendable {
        /// Lower merges first.
        var rank: UInt32
        var token: Int32
    }

    private var keys: [UInt64]
    private var merges: [Merge]
    private let shift: UInt64
    /// No pair of valid ids (below 2^31) makes this key.
    private static let empty = UInt64.max

    init(capacity: Int) {
        var bits: UInt64 = 4
        while 1 << bits < capacity * 2 { bits += 1 }
        shift = 64 - bits
        keys = Array(repeating: Self.empty, count: 1 << bits)
        merges = Array(repeating: Merge(rank: 0, token: 0), count: 1 << bits)
    }

    /// Adds a merge; a pair added before is replaced. No more than the capacity may be added.
    mutating func add(_ left: Int32, _ right: Int32, _ merge: Merge) {
        let key = Self.key(left, right)
        let slot = slot(of: key)
        keys[slot] = key
        merges[slot] = merge
    }

    subscript(left: Int32, right: Int32) -> Merge? {
        let key = Self.key(left, right)
        let slot = slot(of: key)
        return keys[slot] == key ? merges[slot] : nil
    }

    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// The slot that holds `key`, or the empty one where it would go.
    private func slot(of key: UInt64) -> Int {
        // The top bits of a product with a large odd number depend on all bits of the key.
        var mixed = key ^ (key >> 29)
        mixed &*= 0x9E37_79B9_7F4A_7C15
        var slot = Int(truncatingIfNeeded: mixed >> shift)
        while keys[slot] != key, keys[slot] != Self.empty { slot = (slot + 1) & (keys.count - 1) }
        return slot
    }
}
