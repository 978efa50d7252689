// The one statistic of this module: what a figure was when nothing disturbed it, and nothing helped it.

extension Sequence where Element: BinaryFloatingPoint {
    /// The middle value, or the mean of the two in the middle.
    /// - Precondition: not empty.
    public func median() -> Element {
        let sorted = self.sorted()
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
}

/// Seconds that `body` takes.
func seconds(_ body: () -> Void) -> Double {
    let start = ContinuousClock.now
    body()
    return (ContinuousClock.now - start) / .seconds(1)
}
