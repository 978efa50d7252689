import Core
import KVCache
import Tensor

/// A session on its way from a slower tier, by number.
typealias ArrivalID = UInt64

/// Blocks of a session that is on its way.
struct ArrivingPiece: Sendable {
    let id: ArrivalID
    /// Of the whole session.
    let tokens: Int
    /// Those that are there, from the first one on.
    let blocks: SharedBytes
}

/// Sessions on their way from a slower tier, as far as they are in the pool: their blocks are copied while the next ones come,
/// a piece between two steps, so that neither the session's request nor the others wait for all of it at once.
///
/// Nothing is known of a session here but its blocks. They are nobody's to read before the whole snapshot was found to be right
/// and `finish` gives their table away.
struct Arrivals {
    private struct Arrival {
        var table: BlockTable
        var copied = 0
    }

    private var arrivals: [ArrivalID: Arrival] = [:]

    /// Those that hold blocks.
    var count: Int { arrivals.count }

    /// Copies what is new in a piece.
    ///
    /// - Parameter makeRoom: makes so many blocks available if it can.
    mutating func take(_ piece: ArrivingPiece, into pool: BlockPool, makeRoom: (Int) -> Bool) {
        if arrivals[piece.id] == nil {
            guard makeRoom(pool.layout.blocks(for: piece.tokens)), let table = pool.reserve(piece.tokens) else {
                return
            }
            arrivals[piece.id] = Arrival(table: table)
        }
        if let copied = arrivals[piece.id]?.copied, let table = arrivals[piece.id]?.table {
            arrivals[piece.id]?.copied = Self.copy(piece.blocks, from: copied, to: table, pool)
        }
    }

    /// Copies the rest, and gives the table away; nil if there is no such arrival, for want of room.
    mutating func finish(_ id: ArrivalID, _ blocks: SharedBytes, pool: BlockPool) -> BlockTable? {
        guard let arrival = arrivals.removeValue(forKey: id) else { return nil }
        _ = Self.copy(blocks, from: arrival.copied, to: arrival.table, pool)
        return arrival.table
    }

    /// Forgets a session that did not come.
    mutating func drop(_ id: ArrivalID, pool: BlockPool) {
        guard var arrival = arrivals.removeValue(forKey: id) else { return }
        pool.release(&arrival.table)
    }

    /// Copies the blocks behind those that are there. Returns how many are then.
    private static func copy(_ blocks: SharedBytes, from copied: Int, to table: BlockTable, _ pool: BlockPool) -> Int {
        let bytes = pool.layout.blockBytes
        pool.restore(blocks[(blocks.startIndex + copied * bytes)...], into: table, from: copied)
        return blocks.count / bytes
    }
}
