/// What the time of a step depends on: how many rows of which kind. A row is a token of the ragged batch.
public struct StepShape: Sendable, Hashable {
    public var silent: SilentRows
    /// Position `i - 1`: rows that want logits and run at least `i` chains.
    public var tiers: [Int]
    /// Positions that the other rows look at, each times the row's chains: every chain has its own query heads.
    public var context: Int

    public init(silent: SilentRows = SilentRows(), tiers: [Int], context: Int = 0) {
        self.silent = silent
        self.tiers = tiers
        self.context = context
    }

    /// An empty step of a model of `chains` chains.
    public init(chains: Int) {
        self.init(tiers: Array(repeating: 0, count: chains))
    }

    /// Rows that want logits.
    public var rows: Int { tiers.first ?? 0 }

    /// Adds one row that wants logits.
    ///
    /// - Parameter position: its position in its sequence, from 0.
    public mutating func add(position: Int, chains: Int) {
        for tier in 0..<chains { tiers[tier] += 1 }
        context += (position + 1) * chains
    }

    /// Takes out what ``add(position:chains:)`` added.
    mutating func remove(position: Int, chains: Int) {
        for tier in 0..<chains { tiers[tier] -= 1 }
        context -= (position + 1) * chains
    }

    /// Adds the silent rows of a run of tokens from `start` on.
    public mutating func addSilent(start: Int, count: Int) {
        silent += SilentRows(start: start, count: count)
    }
}

extension StepPlan {
    /// What the step consists of, on a model of `chains` chains.
    public func shape(chains: Int) -> StepShape {
        var shape = StepShape(chains: chains)
        for part in parts {
            switch part.logits {
            case .none:
                shape.addSilent(start: part.start, count: part.count)
            case .last:
                shape.addSilent(start: part.start, count: part.count - 1)
                shape.add(position: part.start + part.count - 1, chains: part.chains)
            case .all:
                for offset in 0..<part.count { shape.add(position: part.start + offset, chains: part.chains) }
            }
        }
        return shape
    }
}
