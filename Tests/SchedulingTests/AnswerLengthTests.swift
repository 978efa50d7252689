import TestSupport
import Testing

@testable import Scheduling

@Suite struct AnswerLengthTests {
    @Test(arguments: [2, 10, 1000]) func nothingLearnedMeansTheLimit(limit: Int) {
        let lengths = AnswerLength()
        #expect(lengths.expectedRemaining(generated: 0, limit: limit) == Double(limit))
        #expect(lengths.expectedRemaining(generated: limit / 2, limit: limit) == Double(limit - limit / 2))
    }

    /// Answers that end with the same probability after every token are never nearer to their end.
    @Test func geometricLengthsHaveNoMemory() {
        var lengths = AnswerLength()
        var random = SeededGenerator(seed: 5)
        for _ in 0..<2000 {
            var length = 1
            while Double.random(in: 0..<1, using: &random) > 1.0 / 40 { length += 1 }
            lengths.observe(length, isComplete: true)
        }
        for generated in [0, 10, 20, 40, 60] {
            let remaining = lengths.expectedRemaining(generated: generated, limit: 10_000)
            #expect(remaining > 40 * 0.65 && remaining < 40 * 1.35, "after \(generated): \(remaining)")
        }
    }

    @Test func answersOfOneLengthEndThere() {
        var lengths = AnswerLength()
        for _ in 0..<1000 { lengths.observe(100, isComplete: true) }
        let atStart = lengths.expectedRemaining(generated: 0, limit: 4096)
        let near = lengths.expectedRemaining(generated: 90, limit: 4096)
        #expect(atStart > 90 && atStart < 125)
        #expect(near < 35)
    }

    @Test func whatWasCutOffSaysOnlyAtLeast() {
        var ended = AnswerLength(), cut = AnswerLength()
        for _ in 0..<500 {
            ended.observe(20, isComplete: true)
            cut.observe(20, isComplete: false)
        }
        #expect(cut.expectedRemaining(generated: 0, limit: 300) == 300)
        #expect(ended.expectedRemaining(generated: 0, limit: 300) < 40)
    }

    @Test func neverLessThanATokenOrMoreThanTheLimit() {
        var lengths = AnswerLength()
        for _ in 0..<500 { lengths.observe(50, isComplete: true) }
        for limit in [0, 1, 2, 7, 48, 49, 50, 51, 4096] {
            for generated in stride(from: 0, through: limit + 2, by: max(1, limit / 9)) {
                let remaining = lengths.expectedRemaining(generated: generated, limit: limit)
                #expect(remaining >= 1 && remaining <= Double(max(1, limit - generated)))
            }
        }
    }

    /// Every length up to beyond the last bucket is learned from and asked for.
    @Test func lengthsAtTheEdgesOfBuckets() {
        var lengths = AnswerLength()
        for power in 0...22 {
            for length in [1 << power - 1, 1 << power, 1 << power + 1] {
                lengths.observe(length, isComplete: true)
                #expect(lengths.expectedRemaining(generated: length, limit: length + 10) >= 1)
            }
        }
        #expect(lengths.expectedRemaining(generated: 1 << 21, limit: 1 << 22) >= 1)
    }

    /// One token more allowed makes an answer longer by the share of answers that get there.
    @Test func theLimitCutsTheTailOff() {
        var lengths = AnswerLength()
        var random = SeededGenerator(seed: 9)
        for _ in 0..<300 {
            lengths.observe(Int.random(in: 1...600, using: &random), isComplete: Bool.random(using: &random))
        }
        for generated in [0, 3, 7, 8, 40, 100, 333] {
            var longest = 1.0, share = 1.0
            for limit in generated + 2...generated + 2000 {
                let remaining = lengths.expectedRemaining(generated: generated, limit: limit)
                // Ends are spread over a bucket, so the share falls in steps.
                #expect(remaining >= longest - 1e-9 && remaining - longest <= 1 + 1e-9)
                if limit > generated + 500 { share = min(share, remaining - longest) }
                longest = remaining
            }
            #expect(share < 0.3, "most end before")
        }
    }

    @Test func newTrafficReplacesOldTraffic() {
        var lengths = AnswerLength()
        for _ in 0..<1000 { lengths.observe(10, isComplete: true) }
        for _ in 0..<1000 { lengths.observe(400, isComplete: true) }
        #expect(lengths.expectedRemaining(generated: 0, limit: 4096) > 300)
    }
}
