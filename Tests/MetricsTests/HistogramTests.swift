import Dispatch
import Testing

@testable import Metrics

@Suite struct HistogramTests {
    @Test func aBoundBelongsToItsBucket() {
        let histogram = Histogram(bounds: [0.001, 0.01, 2.5])
        for duration in [
            Duration.zero, .milliseconds(1), .nanoseconds(1_000_001), .milliseconds(10), .seconds(2), .seconds(2.5),
            .seconds(3),
        ] {
            histogram.record(duration)
        }
        #expect(histogram.reading.cumulative == [2, 4, 6, 7])
        #expect(histogram.reading.count == 7)
        #expect(abs(histogram.reading.sum - 7.512_000_001) < 1e-9)
    }

    @Test func oddDurations() {
        let histogram = Histogram(bounds: [1])
        histogram.record(.seconds(-5))
        histogram.record(.seconds(Int64.min))
        #expect(histogram.reading == Histogram.Reading(cumulative: [2, 2], sum: 0))
        histogram.record(.seconds(Int64.max))
        #expect(histogram.reading.cumulative == [2, 3])
        #expect(histogram.reading.sum > 1e9)
    }

    @Test func severalAtOnce() {
        let histogram = Histogram(bounds: [1, 2])
        histogram.record(.milliseconds(1500), times: 4)
        #expect(histogram.reading == Histogram.Reading(cumulative: [0, 4, 4], sum: 6))
    }

    /// Every bound of every histogram, and its neighbours, against a search from the left.
    @Test(arguments: [
        Bounds.firstToken, Bounds.interToken, Bounds.request, Bounds.queue, Bounds.step, Bounds.plan,
    ])
    func findsTheBucket(bounds: [Double]) {
        for bound in bounds {
            for offset in [-1, 0, 1] {
                let nanoseconds = Int((bound * 1e9).rounded()) + offset
                let histogram = Histogram(bounds: bounds)
                histogram.record(.nanoseconds(nanoseconds))
                let index = bounds.firstIndex { nanoseconds <= Int(($0 * 1e9).rounded()) } ?? bounds.count
                #expect(histogram.reading.cumulative.firstIndex(of: 1) == index)
            }
        }
    }

    @Test func threadsLoseNothing() {
        let histogram = Histogram(bounds: [0.5])
        let counter = Counter()
        DispatchQueue.concurrentPerform(iterations: 8) { thread in
            for _ in 0..<1000 {
                histogram.record(.milliseconds(thread * 125))
                counter.add(2)
                let reading = histogram.reading
                #expect(reading.cumulative[0] <= reading.cumulative[1])
            }
        }
        #expect(histogram.reading.cumulative == [5000, 8000])
        #expect(abs(histogram.reading.sum - 3500) < 1e-6)
        #expect(counter.value == 16_000)
    }
}
