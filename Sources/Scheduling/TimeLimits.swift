import Core

/// A latency budget in plain seconds, counted from a point of the scheduler's ``Timeline``.
struct TimeLimits: Sendable, Hashable {
    /// What they count from: the arrival, or that of the change which brought them.
    var start: Double
    var whole: Double?
    var firstToken: Double?
    var perToken: Double?
    var isBestEffort: Bool

    init(_ budget: LatencyBudget, start: Double) {
        self.start = start
        whole = budget.whole.map { $0 / .seconds(1) }
        firstToken = budget.firstToken.map { $0 / .seconds(1) }
        perToken = budget.perToken.map { $0 / .seconds(1) }
        isBestEffort = budget.isBestEffort
    }

    var isLimited: Bool { whole != nil || firstToken != nil || perToken != nil }

    /// When the whole answer is cut off, if at all.
    var cutOff: Double? { isBestEffort ? nil : whole.map { start + $0 } }
}
