/// Tokens by chain count over time: what the stacked areas of a plot and the histogram of a report show.
package struct ChainTimeline: Sendable, Hashable {
    /// Seconds of one bin; the first begins at time 0.
    package let binSeconds: Double
    /// `bins[b][k]`: tokens of `k` chains that came in bin `b`, in fractions where a run spans bins. `[0]` is those whose
    /// chain count is unknown.
    package private(set) var bins: [[Double]]

    /// - Parameters:
    ///   - duration: seconds; what comes later goes into the last bin.
    ///   - chains: of the largest size.
    package init(_ outcomes: [RequestOutcome], duration: Double, bins count: Int, chains: Int) {
        binSeconds = duration > 0 ? duration / Double(max(count, 1)) : 1
        bins = Array(repeating: Array(repeating: 0, count: chains + 1), count: max(count, 1))
        for outcome in outcomes {
            for run in outcome.runs { add(run) }
        }
    }

    /// Spreads a run's tokens evenly over its time.
    private mutating func add(_ run: RequestOutcome.Run) {
        let (first, last) = (bin(of: run.start), bin(of: run.end))
        let chains = min(run.chains, bins[first].count - 1)
        guard first < last else {
            bins[first][chains] += Double(run.tokens)
            return
        }
        let rate = Double(run.tokens) / (run.end - run.start)
        for index in first...last {
            let start = max(run.start, Double(index) * binSeconds)
            let end = index == last ? run.end : Double(index + 1) * binSeconds
            bins[index][chains] += rate * max(end - start, 0)
        }
    }

    private func bin(of time: Double) -> Int {
        Int(min(max(time / binSeconds, 0), Double(bins.count - 1)))
    }

    /// Mean chain count of a bin's tokens; nil where none came whose count is known.
    package func meanChains(ofBin index: Int) -> Double? {
        let known = bins[index].dropFirst()
        let tokens = known.reduce(0, +)
        guard tokens > 0 else { return nil }
        return known.enumerated().reduce(0) { $0 + Double($1.offset + 1) * $1.element } / tokens
    }
}
