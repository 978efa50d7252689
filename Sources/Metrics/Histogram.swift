import Synchronization

/// Durations, counted in buckets with fixed bounds.
///
/// Recording is a binary search and two atomic additions; reading never waits. A reader may see a duration in its bucket
/// and not yet in the sum: the two are exact once the writers rest.
public final class Histogram: Sendable {
    /// The upper bounds of the buckets in seconds, ascending; a last bucket without bound follows.
    public let bounds: [Double]
    private let nanoseconds: [Int]
    private let buckets: [Counter]
    private let sum = Atomic<Int>(0)

    /// - Precondition: `bounds` ascend, from more than 0.
    public init(bounds: [Double]) {
        precondition(zip([0] + bounds, bounds).allSatisfy { $0 < $1 }, "a histogram's bounds ascend")
        self.bounds = bounds
        nanoseconds = bounds.map { Int(($0 * 1e9).rounded()) }
        buckets = (0...bounds.count).map { _ in Counter() }
    }

    /// Counts a duration, `times` over. A bound belongs to its bucket; less than nothing counts as nothing.
    public func record(_ duration: Duration, times: Int = 1) {
        let value = max(0, duration.nanoseconds)
        var (low, high) = (0, nanoseconds.count)
        while low < high {
            let middle = (low + high) / 2
            if nanoseconds[middle] < value { low = middle + 1 } else { high = middle }
        }
        buckets[low].add(times)
        sum.add(value * times, ordering: .relaxed)
    }

    /// What was recorded so far.
    public struct Reading: Sendable, Hashable {
        /// For each bound the durations up to it, and at last all of them.
        public var cumulative: [Int]
        /// Seconds.
        public var sum: Double

        public var count: Int { cumulative.last ?? 0 }
    }

    public var reading: Reading {
        var total = 0
        let cumulative = buckets.map { bucket in
            total += bucket.value
            return total
        }
        return Reading(cumulative: cumulative, sum: Double(sum.load(ordering: .relaxed)) / 1e9)
    }
}

extension Duration {
    /// Whole nanoseconds, at most 146 years of them.
    fileprivate var nanoseconds: Int {
        let (seconds, attoseconds) = components
        let bounded = min(max(seconds, -4_611_686_018), 4_611_686_018)
        return Int(bounded) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
    }
}
