/// How long a running request takes from admission to its end, learned from those that were completed: an
/// exponential moving average, so that the estimate follows the load.
struct ServiceTime: Sendable, Hashable {
    /// Seconds; nil until something ended.
    private(set) var mean: Double?

    mutating func observe(_ seconds: Double) {
        mean = mean.map { $0 + (seconds - $0) / 8 } ?? seconds
    }

    /// Seconds until `places` requests ahead have been served, `parallel` of them at a time. One second when nothing
    /// is known yet.
    func wait(behind places: Int, parallel: Int) -> Double {
        guard let mean else { return 1 }
        return mean * Double(places) / Double(parallel)
    }
}
