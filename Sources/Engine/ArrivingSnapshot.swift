import KVCache
import Synchronization
import Tensor

/// Follows a snapshot while a tier brings it: sums it, and hands its blocks on as they come. One for each attempt, as a tier
/// that was given up may still bring something.
final class ArrivingSnapshot: Sendable {
    /// What is done with it meanwhile.
    enum Event: Sendable {
        case piece(ArrivingPiece)
        /// Nothing more comes of what came before.
        case dropped(ArrivalID)
    }

    private struct State {
        var sum = PayloadChecksum()
        var id: ArrivalID?
        var blocks: KVSnapshot.ArrivingBlocks?
        var handedOn = 0
        var isOver = false
    }

    private let expectation: KVSnapshot.Expectation
    private let pieceBytes: Int
    private let hear: @Sendable (Event) -> Void
    private let state = Mutex(State())

    /// - Parameter pieceBytes: handed on at once at least: each time the engine thread wakes up, which takes a processor from
    ///   whoever has it, so small pieces cost more than they save.
    init(as expectation: KVSnapshot.Expectation, pieceBytes: Int, hear: @escaping @Sendable (Event) -> Void) {
        self.expectation = expectation
        self.pieceBytes = pieceBytes
        self.hear = hear
    }

    /// Some more of the bytes, as ``SharedBytes/Watcher`` hears of them.
    @Sendable func update(_ bytes: SharedBytes) {
        state.withLock { state in
            guard !state.isOver else { return }
            if bytes.isEmpty { begin(&state) }
            state.sum.update(bytes)
            if state.blocks == nil { state.blocks = KVSnapshot.blocks(inStart: bytes, as: expectation) }
            guard let id = state.id, let blocks = state.blocks else { return }
            let layout = expectation.layout
            let there = min((bytes.count - blocks.start) / layout.blockBytes, layout.blocks(for: blocks.tokens))
            guard (there - state.handedOn) * layout.blockBytes >= pieceBytes else { return }
            state.handedOn = there
            let part = bytes[blocks.start..<blocks.start + there * layout.blockBytes]
            hear(.piece(ArrivingPiece(id: id, tokens: blocks.tokens, blocks: part)))
        }
    }

    private func begin(_ state: inout State) {
        if let id = state.id, state.handedOn > 0 { hear(.dropped(id)) }
        state = State(id: .random(in: .min ... .max))
    }

    /// The snapshot came, and what is known of it.
    func finish() -> (sum: PayloadChecksum, id: ArrivalID?) {
        state.withLock { state in
            state.isOver = true
            return (state.sum, state.handedOn > 0 ? state.id : nil)
        }
    }

    /// It did not come, or cannot be used.
    func drop() {
        state.withLock { state in
            state.isOver = true
            if let id = state.id, state.handedOn > 0 { hear(.dropped(id)) }
        }
    }
}
