import Core

/// A latency budget in plain seconds, counted from a point of the scheduler's ``Timeline``.
struct TimeLimits: Sendable, Hashable {
    /// A request without a deadline is put among those that have one as if it had so many seconds.
    static let patience = 10.0

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

    /// What is kept of a budget for what is not the engine's: the way to the client, and the time slices of other programs,
    /// which are milliseconds long. A share of the budget, and at most so many seconds.
    private static let reserve = (share: 0.1, most: 0.02)

    private static func usable(_ seconds: Double) -> Double {
        seconds - min(reserve.share * seconds, reserve.most)
    }

    /// What the engine may use of the time for the whole answer, and of that for the first token.
    var usableWhole: Double? { whole.map(Self.usable) }
    var usableFirstToken: Double? { firstToken.map(Self.usable) }

    /// What its turn among others goes by: when its answer is due, or its first token if that is earlier.
    var due: Double {
        let limit = min(whole ?? .infinity, firstToken ?? .infinity)
        return start + (limit.isFinite ? limit : Self.patience)
    }

    /// When the whole answer is cut off, if at all.
    var cutOff: Double? { isBestEffort ? nil : whole.map { start + $0 } }
}
