import Testing
import TestSupport

@testable import Access

@Suite struct TokenBucketTests {
    private let start = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test func beginsFullAndEmpties() {
        var bucket = TokenBucket(perMinute: 3, at: start)
        for left in [2, 1, 0] {
            #expect(bucket.take(1, at: start) == nil)
            #expect(bucket.remaining(at: start) == left)
        }
        // One flows in every 20 seconds.
        #expect(bucket.take(1, at: start) == .seconds(20))
        #expect(bucket.timeUntilFull(at: start) == .seconds(60))
        #expect(bucket.take(1, at: at(19.999)) != nil)
        #expect(bucket.take(1, at: at(20)) == nil)
        #expect(bucket.take(1, at: at(20)) != nil)
    }

    /// The wait that is told is enough, and what was refused took nothing.
    @Test func theWaitIsEnough() throws {
        var bucket = TokenBucket(perMinute: 7, at: start)
        var now = start
        for _ in 0..<200 {
            if let wait = bucket.take(2, at: now) {
                #expect(wait > .zero && wait <= .seconds(60))
                now += wait
                #expect(bucket.take(2, at: now) == nil)
            }
        }
    }

    @Test func neverHoldsMoreThanItsCapacity() {
        var bucket = TokenBucket(perMinute: 10, at: start)
        #expect(bucket.remaining(at: at(3600)) == 10)
        bucket.giveBack(5, at: at(3600))
        #expect(bucket.remaining(at: at(3600)) == 10)
        #expect(bucket.take(11, at: at(7200)) != nil)
        #expect(bucket.take(10, at: at(7200)) == nil)
    }

    @Test func whatIsGivenBackIsThere() {
        var bucket = TokenBucket(perMinute: 100, at: start)
        #expect(bucket.take(100, at: start) == nil)
        bucket.giveBack(40, at: start)
        #expect(bucket.remaining(at: start) == 40)
    }

    /// Times of several threads may come out of order; the level never goes by that.
    @Test func earlierTimesChangeNothing() {
        var bucket = TokenBucket(perMinute: 60, at: at(10))
        #expect(bucket.take(60, at: at(10)) == nil)
        #expect(bucket.remaining(at: at(5)) == 0)
        #expect(bucket.remaining(at: at(11)) == 1)
    }

    @Test func anotherCapacityKeepsWhatWasUsed() {
        var bucket = TokenBucket(perMinute: 10, at: start)
        #expect(bucket.take(4, at: start) == nil)
        bucket.setCapacity(20, at: start)
        #expect(bucket.remaining(at: start) == 16)
        bucket.setCapacity(3, at: start)
        #expect(bucket.remaining(at: start) == 0)
    }

    /// Over any stretch of time no more passes than the capacity and what flowed in.
    @Test func neverLetsMorePass() {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<50 {
            let capacity = Int.random(in: 1...1000, using: &random)
            var bucket = TokenBucket(perMinute: capacity, at: start)
            var (seconds, taken) = (0.0, 0)
            for _ in 0..<300 {
                seconds += Double.random(in: 0...2, using: &random)
                let amount = Int.random(in: 0...capacity, using: &random)
                if bucket.take(amount, at: at(seconds)) == nil { taken += amount }
                #expect(Double(taken) <= Double(capacity) * (1 + seconds / 60) + 0.01)
            }
        }
    }
}
