// What the folder keeps and for how long, with real files.

import Dispatch
import Tensor
import Testing

@testable import KVCache

@Suite struct SnapshotFolderTests {
    let scratch: ScratchFolder
    let clock = ManualClock()

    init() throws { scratch = try ScratchFolder() }

    private func open(maxBytes: Int = 1000, timeToLive: Int = 3600) throws(SnapshotFolderError) -> SnapshotFolder {
        try SnapshotFolder(
            path: scratch.path("kv"),
            maxBytes: maxBytes,
            timeToLive: .seconds(timeToLive),
            now: { [clock] in clock.now }
        )
    }

    private func bytes(_ value: UInt8, count: Int = 100) -> SharedBytes {
        SharedBytes(Array(repeating: value, count: count))
    }

    // MARK: Keeping

    @Test func storedBytesComeBackAlsoAfterARestart() throws {
        let folder = try open()
        #expect(try folder.load("a") == nil && folder.list() == [])
        try folder.store("a", [1, 2, 3])
        try folder.store("A", [])
        #expect(try folder.load("a") == [1, 2, 3] && folder.load("A") == [])
        try folder.store("a", [4])
        let again = try open()
        #expect(try again.load("a") == [4] && again.load("A") == [] && again.load("b") == nil)
        #expect(Set(again.list().map(\.name)) == ["a", "A"] && again.byteCount == 1)
    }

    @Test func onlyTheUserReadsIt() throws {
        let folder = try SnapshotFolder(
            path: scratch.path("new/deep/kv"),
            maxBytes: 1000,
            timeToLive: .seconds(9)
        )
        try folder.store("a", [1])
        #expect(try scratch.mode(of: "new") == 0o700 && scratch.mode(of: "new/deep/kv") == 0o700)
        #expect(try scratch.mode(of: "new/deep/kv/me.kv") == 0o600)
        #expect(try scratch.files(in: "new/deep/kv") == ["me.kv"])
    }

    @Test func removingIsForGood() throws {
        let folder = try open()
        try folder.store("a", [1])
        #expect(try folder.remove("a") && !folder.remove("a") && folder.load("a") == nil)
        #expect(folder.list() == [] && folder.byteCount == 0)
        #expect(try open().load("a") == nil)
    }

    @Test func theListSaysWhatIsThere() throws {
        let folder = try open()
        try folder.store("old", bytes(1, count: 10))
        let start = clock.now
        clock.advance(by: 5)
        try folder.store("new", bytes(1, count: 20))
        let entries: [SnapshotFolder.Entry] = [
            .init(name: "new", byteCount: 20, lastUsed: start + .seconds(5)),
            .init(name: "old", byteCount: 10, lastUsed: start),
        ]
        #expect(folder.list() == entries && folder.byteCount == 30)
        #expect(try open().list() == entries)
    }

    @Test func aFileOfAnotherProcessIsFound() throws {
        let (one, other) = (try open(), try open())
        try one.store("a", [1, 2])
        #expect(other.list() == [])
        #expect(try other.load("a") == [1, 2])
        #expect(other.list().map(\.name) == ["a"] && other.byteCount == 2)
        try one.remove("a")
        #expect(try other.load("a") == nil)
        #expect(other.list() == [] && other.byteCount == 0)
    }

    @Test func aLinkToAFolderIsAFolder() throws {
        try scratch.createFolder("real")
        try scratch.createLink("kv", to: scratch.path("real"))
        try open().store("a", [1])
        #expect(try scratch.files(in: "real") == ["me.kv"])
    }

    // MARK: Limits

    @Test func theLeastRecentlyUsedGoFirst() throws {
        var folder = try open(maxBytes: 300)
        for name in ["a", "b", "c"] {
            clock.advance(by: 1)
            #expect(try folder.store(name, bytes(1)) == [])
        }
        clock.advance(by: 1)
        #expect(try folder.load("a") == bytes(1))
        folder = try open(maxBytes: 300)  // the order is that of the files
        clock.advance(by: 1)
        #expect(try folder.store("d", bytes(2)) == ["b"])
        #expect(try folder.store("e", bytes(2, count: 101)) == ["c", "a"])
        #expect(Set(folder.list().map(\.name)) == ["d", "e"] && folder.byteCount == 201)
        #expect(try scratch.files(in: "kv").count == 2)
    }

    @Test func replacingCountsTheNewVersionOnly() throws {
        let folder = try open(maxBytes: 300)
        try folder.store("a", bytes(1))
        clock.advance(by: 1)
        try folder.store("b", bytes(1, count: 200))
        clock.advance(by: 1)
        #expect(try folder.store("a", bytes(2)) == [] && folder.byteCount == 300)
        clock.advance(by: 1)
        #expect(try folder.store("a", bytes(3, count: 101)) == ["b"] && folder.load("a") == bytes(3, count: 101))
    }

    @Test func whatCannotFitEvictsNothing() throws {
        let folder = try open(maxBytes: 300)
        try folder.store("a", bytes(1))
        let error = #expect(throws: SnapshotFolderError.self) { try folder.store("b", bytes(1, count: 301)) }
        #expect(error?.reason == .tooLarge(bytes: 301, limit: 300))
        #expect(folder.list().map(\.name) == ["a"])
        #expect(try folder.store("b", bytes(1, count: 300)) == ["a"])
    }

    @Test func aSmallerLimitHoldsFromTheStart() throws {
        let folder = try open()
        for name in ["a", "b", "c"] {
            clock.advance(by: 1)
            try folder.store(name, bytes(1))
        }
        #expect(try open(maxBytes: 250).list().map(\.name) == ["c", "b"])
        #expect(try scratch.files(in: "kv").count == 2)
    }

    @Test func idleSnapshotsExpire() throws {
        let folder = try open(timeToLive: 10)
        for name in ["a", "b", "c"] { try folder.store(name, bytes(1)) }
        clock.advance(by: 10)
        #expect(try folder.load("a") == bytes(1))
        clock.advance(by: 1)
        // Loading, storing, asking and starting all notice.
        #expect(try folder.load("b") == nil)
        #expect(try scratch.files(in: "kv").count == 2)
        #expect(try folder.removeExpired() == ["c"] && folder.removeExpired() == [])
        #expect(folder.list().map(\.name) == ["a"])
        clock.advance(by: 10)
        #expect(try folder.store("d", bytes(1)) == ["a"])
        clock.advance(by: 11)
        #expect(try open(timeToLive: 10).list() == [])
        #expect(try scratch.files(in: "kv") == [])
    }

    @Test func storingAnExpiredSnapshotAgainIsNoLoss() throws {
        let folder = try open(timeToLive: 10)
        try folder.store("a", bytes(1))
        clock.advance(by: 11)
        #expect(try folder.store("a", bytes(2)) == [])
        #expect(try folder.load("a") == bytes(2))
    }

    // MARK: At once

    @Test func callsFromManyThreadsSeeWholeSnapshots() throws {
        let folder = try open(maxBytes: 100_000)
        DispatchQueue.concurrentPerform(iterations: 8) { thread in
            for round in 0..<20 {
                let name = "s\((thread + round) % 3)"
                do {
                    switch round % 4 {
                    case 0, 1: try folder.store(name, Array(repeating: UInt8(thread), count: 1000 + thread))
                    case 2: _ = try folder.remove(name)
                    default:
                        if let found = try folder.load(name) {
                            #expect(found.count == 1000 + Int(found[0]) && Set(found).count == 1)
                        }
                    }
                } catch {
                    Issue.record(error)
                }
                _ = folder.list()
            }
        }
        let files = try scratch.files(in: "kv")
        #expect(files.count == folder.list().count)
        #expect(try folder.byteCount == files.reduce(0) { try $0 + scratch.read("kv/\($1)").count })
    }
}
