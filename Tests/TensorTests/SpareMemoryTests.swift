import Testing

@testable import Tensor

@Suite struct SpareMemoryTests {
    private static let mebibyte = 1 << 20
    private let memory = SpareMemory(limit: 16 * Self.mebibyte)

    @Test func whatFitsIsUsedAgainOnce() {
        let run = memory.take(3 * Self.mebibyte)
        #expect(run.buffer.count == 4 * Self.mebibyte)
        memory.giveBack(run)
        let again = memory.take(4 * Self.mebibyte)
        #expect(again === run)
        #expect(memory.take(4 * Self.mebibyte) !== run)
    }

    /// Neither too small nor much too large, and of those that fit the smallest.
    @Test func whatDoesNotFitStays() {
        let large = memory.take(8 * Self.mebibyte)
        let small = memory.take(4 * Self.mebibyte)
        memory.giveBack(large)
        memory.giveBack(small)
        #expect(memory.take(8 * Self.mebibyte + 1).buffer.count == 10 * Self.mebibyte)
        #expect(memory.take(4 * Self.mebibyte) === small)
        // Half of it would be enough for this one.
        #expect(memory.take(2 * Self.mebibyte).buffer.count == 2 * Self.mebibyte)
        #expect(memory.take(2 * Self.mebibyte + 1) === large)
    }

    @Test func theOldestGoBeyondTheLimit() {
        let runs = (0..<5).map { _ in memory.take(4 * Self.mebibyte) }
        for run in runs { memory.giveBack(run) }
        let taken = (0..<5).map { _ in memory.take(4 * Self.mebibyte) }
        #expect(Set(taken.prefix(4).map(ObjectIdentifier.init)) == Set(runs.dropFirst().map(ObjectIdentifier.init)))
        #expect(taken[4] !== runs[0])
    }

    @Test func whatIsLargerThanTheLimitIsNotKept() {
        let small = memory.take(Self.mebibyte)
        let large = memory.take(18 * Self.mebibyte)
        memory.giveBack(small)
        memory.giveBack(large)
        #expect(memory.take(18 * Self.mebibyte) !== large)
        #expect(memory.take(Self.mebibyte) === small)
    }
}
