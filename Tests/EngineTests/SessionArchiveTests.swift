// Sessions written to tiers and read back. Long, as the tests share the conversations and reports that are made at its head.

import Core
import Foundation
import Synchronization
import Tensor
import Testing

@testable import Engine

/// Sessions in slower tiers: what is written, what is read, what is refused.
@Suite struct SessionArchiveTests {
    /// Keeps what an archive reports.
    private final class Reports: Sendable {
        private let lines = Mutex<[String]>([])

        var all: [String] { lines.withLock { $0 } }

        func add(_ line: String) { lines.withLock { $0.append(line) } }
    }

    private let reports = Reports()

    private func archive(_ tiers: [MemoryTier], model: String = "m", pendingLimit: Int = 1 << 20) -> SessionArchive {
        let identity = SessionArchive.Identity(
            fingerprint: model,
            layout: PrefixHashModel.layout,
            vocabularySize: PrefixHashModel.vocabularySize,
            contextLength: 1024
        )
        let places = tiers.map { SessionArchive.Place($0, pendingLimit: pendingLimit) }
        return SessionArchive(places: places, identity: identity) { [reports] in reports.add($0) }
    }

    /// Runs a request of a session; returns the session's tokens.
    private func converse(
        _ bench: inout Bench,
        _ session: String,
        _ words: [TokenID],
        salt: String? = nil
    ) -> [TokenID] {
        let (_, log) = bench.submit(words, session: session, salt: salt)
        bench.runUntilIdle()
        return words + log.tokens.map(\.id)
    }

    @Test func aSessionGoesOnInAnotherLoop() throws {
        let tier = MemoryTier()
        let first = archive([tier])
        var bench = Bench(archive: first)
        let history = converse(&bench, "s", prompt(40))
        first.flush()

        let second = archive([tier])
        var other = Bench(archive: second)
        let snapshot = try #require(second.load("s", salt: nil))
        #expect(snapshot.snapshot.tokens == history && snapshot.snapshot.computedTokens == history.count - 1)
        other.loop.restore(snapshot, session: "s", now: other.now)
        let words = history + prompt(5)
        let (_, log) = other.submit(words, chains: 2, session: "s")
        other.runUntilIdle()
        #expect(log.admission?.cachedTokens == history.count - 1)
        #expect(log.tokens.map(\.id) == PrefixHashModel.answer(to: words, count: 8, chains: 2))
        #expect(reports.all.isEmpty)
    }

    /// A write may end at any moment of a look at what is being written.
    @Test func aSessionIsAskedForWhileWritesEnd() {
        let archive = archive([MemoryTier()])
        DispatchQueue.concurrentPerform(iterations: 2) { side in
            if side == 0 {
                for _ in 0..<100_000 { _ = archive.loadForeign("s", salt: nil) }
            } else {
                var bench = Bench(archive: archive)
                for _ in 0..<300 { _ = converse(&bench, "s", prompt(20)) }
            }
        }
        archive.flush()
        #expect(archive.load("s", salt: nil) != nil && reports.all.isEmpty)
    }

    /// Between the moment a session is taken to be written and the moment the tier has it, it is still found.
    @Test func aSessionIsFoundWhileItIsWritten() throws {
        let tier = MemoryTier(holdsWrites: true)
        let archive = archive([tier])
        var bench = Bench(archive: archive)
        let history = converse(&bench, "s", prompt(40))
        tier.held?.begun.wait()
        #expect(archive.load("s", salt: nil)?.snapshot.tokens == history)
        #expect(archive.load("s", salt: "other") == nil)
        #expect(archive.load("t", salt: nil) == nil)
        tier.held?.released.signal()
        archive.flush()
        #expect(archive.load("s", salt: nil)?.snapshot.tokens == history)
    }

    @Test func aSessionInMemoryIsNotReplacedByItsSnapshot() throws {
        let archive = archive([MemoryTier()])
        var bench = Bench(archive: archive)
        let history = converse(&bench, "s", prompt(40))
        let old = try #require(archive.load("s", salt: nil))
        let newer = converse(&bench, "s", history + prompt(3))
        bench.loop.restore(old, session: "s", now: bench.now)
        #expect(bench.directory["s"]?.tokens == newer)
    }

    @Test func aSnapshotWithoutRoomIsLeftOut() throws {
        let tier = MemoryTier(), archive = archive([tier])
        var bench = Bench(archive: archive)
        _ = converse(&bench, "s", prompt(90))
        archive.flush()
        let snapshot = try #require(archive.load("s", salt: nil))
        var small = Bench(blocks: 4)
        small.loop.restore(snapshot, session: "s", now: small.now)
        #expect(small.directory["s"] == nil && small.pool.usedBlocks == 0)
    }

    // MARK: Writing behind

    @Test func whatChangesBeforeItIsWrittenIsWrittenOnce() throws {
        let tier = MemoryTier(holdsWrites: true)
        let archive = archive([tier])
        var bench = Bench(archive: archive)
        _ = converse(&bench, "first", prompt(20))
        tier.held?.begun.wait()
        var history = prompt(10)
        for _ in 0..<3 { history = converse(&bench, "often", history + [7]) }
        // Read from what waits to be written.
        #expect(archive.load("often", salt: nil)?.snapshot.tokens == history)
        #expect(archive.load("often", salt: "another") == nil)
        for _ in 0..<2 { tier.held?.released.signal() }
        archive.flush()
        #expect(tier.writes == ["first", "often"])
        #expect(archive.load("often", salt: nil)?.snapshot.tokens == history)
    }

    @Test func whatFallsTooFarBehindIsLeftOut() {
        let tier = MemoryTier(holdsWrites: true)
        // Two blocks of 128 bytes for each session here.
        let archive = archive([tier], pendingLimit: 300)
        var bench = Bench(archive: archive)
        _ = converse(&bench, "first", prompt(20))
        tier.held?.begun.wait()
        for session in ["second", "third"] { _ = converse(&bench, session, prompt(20)) }
        #expect(reports.all.count == 1 && reports.all[0].contains("third") && reports.all[0].contains("300"))
        // A new state of a session takes the place of its old one.
        _ = converse(&bench, "second", prompt(21))
        #expect(reports.all.count == 1)
        for _ in 0..<2 { tier.held?.released.signal() }
        archive.flush()
        #expect(tier.writes == ["first", "second"])
    }

    @Test func errorsAreReportedAndHarmNobody() {
        let broken = MemoryTier(), good = MemoryTier()
        broken.breakDown()
        let archive = archive([broken, good])
        var bench = Bench(archive: archive)
        let history = converse(&bench, "s", prompt(20))
        archive.flush()
        #expect(good.writes == ["s"])
        #expect(archive.load("s", salt: nil)?.snapshot.tokens == history)
        #expect(archive.list().keys.sorted() == ["s"])
        let removed = archive.remove("s")
        #expect(removed)
        // Writing, reading, listing, removing.
        #expect(reports.all.count == 4)
        #expect(reports.all.allSatisfy { $0.contains("Broken") })
    }

    // MARK: Reading

    @Test func whatDoesNotFitIsNotUsed() {
        let tier = MemoryTier(), own = archive([tier])
        var bench = Bench(archive: own)
        _ = converse(&bench, "s", prompt(20), salt: "tenant")
        own.flush()
        #expect(own.load("s", salt: "tenant") != nil)
        #expect(own.load("s", salt: nil) == nil)
        #expect(own.load("s", salt: "another") == nil)
        #expect(archive([tier], model: "another").load("s", salt: "tenant") == nil)
        #expect(own.load("unknown", salt: "tenant") == nil)
        tier.damage("s")
        #expect(own.load("s", salt: "tenant") == nil)
        #expect(reports.all.count == 4)
        #expect(reports.all.allSatisfy { $0.hasPrefix("session s is computed again") })
    }

    @Test func aLaterTierServesWhatTheFirstCannot() {
        let first = MemoryTier(), second = MemoryTier()
        let archive = archive([first, second])
        var bench = Bench(archive: archive)
        let history = converse(&bench, "s", prompt(20))
        archive.flush()
        first.damage("s")
        #expect(archive.load("s", salt: nil)?.snapshot.tokens == history)
    }

    @Test func removedFromAllTiersAndFromWhatWaits() {
        let tier = MemoryTier(holdsWrites: true)
        let archive = archive([tier])
        var bench = Bench(archive: archive)
        _ = converse(&bench, "first", prompt(20))
        tier.held?.begun.wait()
        _ = converse(&bench, "second", prompt(20))
        // The second write may begin before it is called off.
        for _ in 0..<2 { tier.held?.released.signal() }
        let removed = ["second", "first", "first"].map { archive.remove($0) }
        #expect(removed == [true, true, false])
        archive.flush()
        #expect(archive.list().isEmpty && archive.load("first", salt: nil) == nil)
        #expect(archive.load("second", salt: nil) == nil)
    }

    @Test func theListNamesEveryTier() throws {
        let tiers = [MemoryTier(), MemoryTier()], archive = archive(tiers)
        var bench = Bench(archive: archive)
        for session in ["a", "b"] { _ = converse(&bench, session, prompt(20)) }
        archive.flush()
        let removed = try tiers[0].remove("b")
        #expect(removed)
        let list = archive.list()
        #expect(list["a"]?.tiers == [.redis, .redis] && list["b"]?.tiers == [.redis])
        #expect(list["a"]?.tokens == nil && list["a"]?.idle == 3 && (list["a"]?.bytes ?? 0) > 256)
    }

    // MARK: Tiers that fail, and come back

    /// A slow tier does not hold up the other.
    @Test func everyTierWritesAtItsOwnPace() throws {
        let slow = MemoryTier(holdsWrites: true), fast = MemoryTier()
        let archive = archive([slow, fast])
        var bench = Bench(archive: archive)
        for session in ["a", "b"] { _ = converse(&bench, session, prompt(20)) }
        while fast.writes.count < 2 { Thread.sleep(forTimeInterval: 0.001) }
        #expect(slow.writes.isEmpty)
        for _ in 0..<2 { slow.held?.released.signal() }
        archive.flush()
        #expect(slow.writes == ["a", "b"])
    }

    @Test func whatFailedIsWrittenLater() {
        let tier = MemoryTier(), archive = archive([tier])
        var bench = Bench(archive: archive)
        tier.breakDown()
        for session in ["a", "b", "c"] { _ = converse(&bench, session, prompt(20)) }
        archive.flush()
        // One tries whether it works again.
        bench.loop.saveSomeUnsaved()
        archive.flush()
        #expect(reports.all.count == 4)
        tier.recover()
        bench.loop.saveSomeUnsaved()
        archive.flush()
        #expect(tier.lateWrites.count == 1)
        bench.loop.saveSomeUnsaved()
        archive.flush()
        #expect(tier.lateWrites.sorted() == ["a", "b", "c"])
        bench.loop.saveSomeUnsaved()
        archive.flush()
        #expect(tier.lateWrites.count == 3 && archive.load("a", salt: nil) != nil)
    }

    @Test func atTheEndEverythingIsTriedOnce() {
        let tier = MemoryTier(), archive = archive([tier])
        var bench = Bench(archive: archive)
        tier.breakDown()
        for session in ["a", "b", "c"] { _ = converse(&bench, session, prompt(20)) }
        bench.loop.saveAllUnsaved(until: .now() + 60)
        #expect(reports.all.count == 6)
        tier.recover()
        bench.loop.saveAllUnsaved(until: .now() + 60)
        #expect(tier.writes.sorted() == ["a", "b", "c"])
    }

    @Test func whatHadNoRoomIsWrittenLater() {
        let tier = MemoryTier(holdsWrites: true)
        let archive = archive([tier], pendingLimit: 300)
        var bench = Bench(archive: archive)
        for session in ["first", "second", "third"] { _ = converse(&bench, session, prompt(20)) }
        for _ in 0..<3 { tier.held?.released.signal() }
        archive.flush()
        // Two of them, if the writing of the first had not begun when the second came: there is room for one at a time.
        for _ in 0..<2 {
            bench.loop.saveSomeUnsaved()
            archive.flush()
        }
        #expect(Set(tier.writes) == ["first", "second", "third"])
    }

    @Test func aSessionThatSomebodyElseWritesWaitsAndOneThatWentOnElsewhereDoesNot() {
        let tier = MemoryTier(), archive = archive([tier])
        var bench = Bench(archive: archive)
        tier.answer(.outdated)
        _ = converse(&bench, "outdated", prompt(20))
        archive.flush()
        tier.answer(.busy)
        _ = converse(&bench, "busy", prompt(20))
        archive.flush()
        tier.answer(.stored)
        bench.loop.saveSomeUnsaved()
        archive.flush()
        #expect(tier.lateWrites == ["busy"] && reports.all.isEmpty)
    }

    @Test func aNewStateIsNotLateThoughAnOldOneWas() {
        let tier = MemoryTier(holdsWrites: true)
        let archive = archive([tier])
        var bench = Bench(archive: archive)
        tier.breakDown()
        tier.held?.released.signal()
        let history = converse(&bench, "s", prompt(20))
        archive.flush()
        tier.recover()
        // Held: both states of "s" wait behind it.
        _ = converse(&bench, "other", prompt(20))
        while tier.held?.begun.wait(timeout: .now() + 0.01) == .success {}
        bench.loop.saveSomeUnsaved()
        _ = converse(&bench, "s", history + [5])
        for _ in 0..<2 { tier.held?.released.signal() }
        archive.flush()
        #expect(tier.writes == ["other", "s"] && tier.lateWrites.isEmpty)
    }

    @Test func aTierThatIsLeftAloneIsNotComplainedOf() {
        let tier = MemoryTier(isShared: true), archive = archive([tier])
        tier.breakDown(TierUnavailable())
        var bench = Bench(archive: archive)
        _ = converse(&bench, "s", prompt(20))
        archive.flush()
        #expect(archive.load("s", salt: nil) == nil && archive.loadForeign("s", salt: nil) == nil)
        #expect(archive.list().isEmpty && !archive.remove("s"))
        #expect(reports.all.isEmpty)
    }

    /// A client that deletes a session must not meet it again, whatever the tier does meanwhile.
    @Test func whatCouldNotBeRemovedIsNotReadAndRemovedLater() {
        let tier = MemoryTier(), archive = archive([tier])
        var bench = Bench(archive: archive)
        for session in ["a", "b"] { _ = converse(&bench, session, prompt(20)) }
        archive.flush()
        tier.breakDown()
        #expect(!archive.remove("a"))
        tier.recover()
        #expect(archive.load("a", salt: nil) == nil && archive.load("b", salt: nil) != nil)
        archive.tidy { _ in }
        archive.flush()
        #expect(archive.list().keys.sorted() == ["b"])
        // The name is free again.
        let history = converse(&bench, "a", prompt(9))
        #expect(archive.load("a", salt: nil)?.snapshot.tokens == history)
    }

    // MARK: Tiers that are shared

    /// The bytes of a session after some words.
    private func snapshot(_ session: String, _ words: [TokenID]) throws -> (tokens: [TokenID], bytes: SharedBytes) {
        let tier = MemoryTier(), archive = archive([tier])
        var bench = Bench(archive: archive)
        let tokens = converse(&bench, session, words)
        archive.flush()
        return (tokens, try #require(try tier.load(session)))
    }

    @Test func whatOthersWroteComesBeforeAnOwnTier() throws {
        let own = MemoryTier(), shared = MemoryTier(isShared: true)
        let archive = archive([own, shared])
        var bench = Bench(archive: archive)
        let old = converse(&bench, "s", prompt(20))
        archive.flush()
        #expect(archive.load("s", salt: nil)?.snapshot.tokens == old)
        #expect(archive.loadForeign("s", salt: nil) == nil)
        let new = try snapshot("s", old + prompt(3))
        shared.put("s", new.bytes)
        #expect(archive.load("s", salt: nil)?.snapshot.tokens == new.tokens)
        // Read once, it is known; the own tier is the faster one.
        #expect(archive.load("s", salt: nil)?.snapshot.tokens == old)
    }

    @Test func aSessionInMemoryGoesOnWhereAnotherReplicaStopped() throws {
        let shared = MemoryTier(isShared: true), archive = archive([shared])
        var bench = Bench(archive: archive)
        let old = converse(&bench, "s", prompt(20))
        archive.flush()
        let new = try snapshot("s", old + prompt(3))
        shared.put("s", new.bytes)
        #expect(archive.loadForeign("s", salt: "tenant") == nil)
        shared.put("s", new.bytes)
        let foreign = try #require(archive.loadForeign("s", salt: nil))
        bench.loop.restore(foreign, session: "s", now: bench.now)
        #expect(bench.directory["s"]?.tokens == new.tokens)
        // One that has not gone as far does not take its place; one that has does, though its tokens are others: the other
        // replica may have read the text anew.
        let shorter = try snapshot("s", prompt(12, from: 3))
        shared.put("s", shorter.bytes)
        bench.loop.restore(try #require(archive.loadForeign("s", salt: nil)), session: "s", now: bench.now)
        #expect(bench.directory["s"]?.tokens == new.tokens)
        let other = try snapshot("s", prompt(60, from: 3))
        shared.put("s", other.bytes)
        bench.loop.restore(try #require(archive.loadForeign("s", salt: nil)), session: "s", now: bench.now)
        #expect(bench.directory["s"]?.tokens == other.tokens)
    }
}
