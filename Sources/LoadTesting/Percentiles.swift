/// The distribution of some latency, in seconds.
package struct Percentiles: Sendable, Hashable {
    /// Ascending.
    package let sorted: [Double]

    package init(_ values: some Sequence<Double>) { sorted = values.sorted() }

    package var count: Int { sorted.count }

    /// The least value that a share of `share` of all values does not exceed (nearest rank); nil without values.
    /// - Parameter share: 0.5 for the median.
    package subscript(share: Double) -> Double? {
        guard !sorted.isEmpty else { return nil }
        let rank = Int((share * Double(sorted.count)).rounded(.up))
        return sorted[min(max(rank, 1), sorted.count) - 1]
    }

    /// Nil without values.
    package var mean: Double? { sorted.isEmpty ? nil : sorted.reduce(0, +) / Double(sorted.count) }

    /// The ones that reports show.
    package static let shown: [(name: StaticString, share: Double)] = [
        ("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("max", 1),
    ]
}
