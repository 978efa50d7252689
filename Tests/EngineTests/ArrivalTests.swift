import Core
import KVCache
import Synchronization
import Tensor
import Testing

@testable import Engine

/// Sessions whose blocks are in the pool before their snapshot is.
@Suite struct ArrivalTests {
    /// Keeps what is heard of a session on its way.
    private final class Events: Sendable {
        private let events = Mutex<[ArrivingSnapshot.Event]>([])

        var all: [ArrivingSnapshot.Event] { events.withLock { $0 } }
        var pieces: [ArrivingPiece] { all.compactMap { if case .piece(let piece) = $0 { piece } else { nil } } }
        var dropped: [ArrivalID] { all.compactMap { if case .dropped(let id) = $0 { id } else { nil } } }

        @Sendable func add(_ event: ArrivingSnapshot.Event) { events.withLock { $0.append(event) } }
    }

    private let events = Events()
    private let tier = MemoryTier()
    private let archive: SessionArchive

    init() {
        let identity = SessionArchive.Identity(
            fingerprint: "m",
            layout: PrefixHashModel.layout,
            vocabularySize: PrefixHashModel.vocabularySize,
            contextLength: 1024
        )
        archive = SessionArchive(
            places: [.init(tier, pendingLimit: 1 << 20)],
            identity: identity,
            pieceBytes: 1
        ) { _ in }
    }

    /// Writes a session; returns its tokens.
    private func write(_ session: String, _ words: [TokenID]) -> [TokenID] {
        var bench = Bench(archive: archive)
        let (_, log) = bench.submit(words, session: session)
        bench.runUntilIdle()
        archive.flush()
        return words + log.tokens.map(\.id)
    }

    @Test func blocksAreThereBeforeTheSnapshotIs() throws {
        let history = write("s", prompt(100))
        let restored = try #require(archive.load("s", salt: nil, hear: events.add))
        let pieces = events.pieces
        #expect(pieces.count > 1 && events.dropped.isEmpty && restored.arrival == pieces.first?.id)
        #expect(pieces.allSatisfy { $0.id == restored.arrival && $0.tokens == history.count - 1 })
        #expect(pieces.last?.blocks == restored.snapshot.blocks)

        var bench = Bench()
        let needed = PrefixHashModel.layout.blocks(for: history.count - 1)
        for piece in pieces {
            bench.loop.arriving(.piece(piece))
            #expect(bench.pool.usedBlocks == needed && bench.directory["s"] == nil)
        }
        bench.loop.restore(restored, session: "s", now: bench.now)
        #expect(bench.loop.memory.arrivals.count == 0 && bench.pool.usedBlocks == needed)
        let words = history + prompt(5)
        let (_, log) = bench.submit(words, chains: 2, session: "s")
        bench.runUntilIdle()
        #expect(log.admission?.cachedTokens == history.count - 1)
        #expect(log.tokens.map(\.id) == PrefixHashModel.answer(to: words, count: 8, chains: 2))
    }

    /// However much of it came before: none, some, and not the last.
    @Test func whatDidNotComeBeforeIsCopiedAtTheEnd() throws {
        let history = write("s", prompt(100))
        let restored = try #require(archive.load("s", salt: nil, hear: events.add))
        let words = history + prompt(5)
        for count in 0..<events.pieces.count {
            var bench = Bench()
            for piece in events.pieces.prefix(count) { bench.loop.arriving(.piece(piece)) }
            bench.loop.restore(restored, session: "s", now: bench.now)
            let (_, log) = bench.submit(words, session: "s")
            bench.runUntilIdle()
            #expect(log.admission?.cachedTokens == history.count - 1)
            #expect(log.tokens.map(\.id) == PrefixHashModel.answer(to: words, count: 8, chains: 4))
        }
    }

    @Test func whatIsDamagedGivesItsBlocksBack() throws {
        _ = write("s", prompt(100))
        tier.damage("s", at: -10)
        #expect(archive.load("s", salt: nil, hear: events.add) == nil)
        let id = try #require(events.pieces.first?.id)
        guard case .dropped(id)? = events.all.last else {
            Issue.record("it was not dropped")
            return
        }
        var bench = Bench()
        for event in events.all.dropLast() { bench.loop.arriving(event) }
        #expect(bench.pool.usedBlocks > 0)
        bench.loop.arriving(.dropped(id))
        #expect(bench.pool.usedBlocks == 0 && bench.loop.memory.arrivals.count == 0)
    }

    /// Whose header is damaged, of another model or another's never begins.
    @Test func whatIsRefusedByItsHeaderTakesNoBlocks() {
        _ = write("s", prompt(100))
        #expect(archive.load("s", salt: "another", hear: events.add) == nil)
        tier.damage("s", at: 100)
        #expect(archive.load("s", salt: nil, hear: events.add) == nil)
        #expect(events.all.isEmpty)
    }

    @Test func aSessionThatHasGoneFurtherStays() throws {
        let history = write("s", prompt(100))
        let restored = try #require(archive.load("s", salt: nil, hear: events.add))
        var bench = Bench()
        let (_, log) = bench.submit(history + prompt(30), session: "s")
        bench.runUntilIdle()
        let used = bench.pool.usedBlocks
        for event in events.all { bench.loop.arriving(event) }
        bench.loop.restore(restored, session: "s", now: bench.now)
        #expect(
            bench.pool.usedBlocks == used && bench.directory["s"]?.tokens.count == history.count + 30 + log.tokens.count
        )
    }

    @Test func idleSessionsMakeRoomOnlyWhereItIsEnough() throws {
        let history = write("s", prompt(100))
        let restored = try #require(archive.load("s", salt: nil, hear: events.add))
        let needed = PrefixHashModel.layout.blocks(for: history.count - 1)
        for (blocks, isEnough) in [(needed - 1, false), (needed, true)] {
            var bench = Bench(blocks: blocks)
            _ = bench.submit(prompt(20), session: "idle")
            bench.runUntilIdle()
            for event in events.all { bench.loop.arriving(event) }
            #expect((bench.directory["idle"] == nil) == isEnough)
            bench.loop.restore(restored, session: "s", now: bench.now)
            #expect((bench.directory["s"] != nil) == isEnough && (bench.directory["idle"] == nil) == isEnough)
        }
    }

    // MARK: On its way

    private func arriving() throws -> (snapshot: ArrivingSnapshot, bytes: SharedBytes) {
        _ = write("s", prompt(100))
        let expectation = KVSnapshot.Expectation(
            name: "s",
            salt: nil,
            model: "m",
            layout: PrefixHashModel.layout,
            vocabularySize: PrefixHashModel.vocabularySize,
            maxTokens: 1024
        )
        return (ArrivingSnapshot(as: expectation, pieceBytes: 1, hear: events.add), try #require(try tier.load("s")))
    }

    /// A tier that begins anew brings other blocks: they must not be taken for those of the first attempt.
    @Test func aNewBeginningIsAnotherArrival() throws {
        let (snapshot, bytes) = try arriving()
        for _ in 0..<2 {
            snapshot.update(bytes[..<0])
            snapshot.update(bytes[..<(bytes.count / 2)])
        }
        let pieces = events.pieces
        #expect(pieces.count == 2 && pieces[0].id != pieces[1].id && events.dropped == [pieces[0].id])
        #expect(snapshot.finish().id == pieces[1].id)
    }

    @Test func smallPiecesAreHeldBack() throws {
        let (_, bytes) = try arriving()
        let block = PrefixHashModel.layout.blockBytes
        let restored = try #require(archive.load("s", salt: nil))
        let expectation = KVSnapshot.Expectation(
            name: "s",
            salt: nil,
            model: "m",
            layout: PrefixHashModel.layout,
            vocabularySize: PrefixHashModel.vocabularySize,
            maxTokens: 1024
        )
        let heard = Events()
        let snapshot = ArrivingSnapshot(as: expectation, pieceBytes: 3 * block, hear: heard.add)
        for end in 0...bytes.count { snapshot.update(bytes[..<end]) }
        let sizes = heard.pieces.map { $0.blocks.count / block }
        let all = restored.snapshot.blocks.count / block
        #expect(sizes == Array(stride(from: 3, through: all, by: 3)))
    }

    @Test func nothingIsHeardAfterTheEnd() throws {
        let (snapshot, bytes) = try arriving()
        snapshot.update(bytes[..<0])
        snapshot.update(bytes[..<(bytes.count / 2)])
        snapshot.drop()
        let heard = events.all.count
        snapshot.update(bytes)
        snapshot.update(bytes[..<0])
        snapshot.update(bytes)
        #expect(heard == 2 && events.all.count == heard)
    }
}
