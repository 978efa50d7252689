/// Gives the rows of one step their chains: the pure heart of the policy.
///
/// Tiers are filled from the second on, and a tier goes to all rows that may have it or to none: its weights are read for few
/// rows as for many, so half a tier costs more than half. Between two sizes the batch moves from step to step, as the
/// pace falls behind or gets ahead, which is what the upper hull of (cost, chains) asks for.
///
/// Cost: O(rows) for each tier.
struct ChainAllocation {
    /// A row that wants logits.
    struct Row {
        /// Chains it must and may have.
        var bounds: ClosedRange<Int>
        /// The chains of its token before, 0 for none.
        var previous: Int
        /// The row's position, from 0.
        var position: Int
    }

    let cost: CostModel
    /// Seconds a step may take by its rows with logits; infinite without a limit.
    let limit: Double
    /// Of the requests that come, as ``OfferedLoad`` says.
    let load: Double
    let safety: Double

    /// The chain count of each row.
    func chains(of rows: [Row], policy: ChainPolicy) -> [Int] {
        switch policy {
        case .elastic(let rules): elastic(rows, rules)
        case .slackFit: slackFit(rows)
        case .fixed(let count): rows.map { min(max(count, $0.bounds.lowerBound), $0.bounds.upperBound) }
        }
    }

    private func elastic(_ rows: [Row], _ rules: ElasticRules) -> [Int] {
        guard limit < .infinity else { return rows.map(\.bounds.upperBound) }
        let raising = rules.share(load: load, safety: safety) * limit
        let keeping = min(raising * rules.hysteresis, limit)
        var chains = rows.map(\.bounds.lowerBound)
        var seconds = cost.rowSeconds(shape(rows, chains))
        for tier in stride(from: 2, through: cost.tiers.count, by: 1) {
            // Rows that have the tier, and those that are to get it.
            var given = 0, added = 0, context = 0
            var isOpen = false
            for (index, row) in rows.enumerated() {
                if chains[index] >= tier { given += 1 }
                guard chains[index] == tier - 1 && row.bounds.upperBound >= tier else { continue }
                added += 1
                context += row.position + 1
                if row.previous >= tier { isOpen = true }
            }
            guard added > 0 else { continue }
            seconds += cost.seconds(adding: added, to: given, tier: tier, context: context, of: rows.count)
            guard seconds <= (isOpen ? keeping : raising) else { return chains }
            for (index, row) in rows.enumerated() where chains[index] == tier - 1 && row.bounds.upperBound >= tier {
                chains[index] = tier
            }
        }
        return chains
    }

    private func slackFit(_ rows: [Row]) -> [Int] {
        for count in stride(from: cost.tiers.count, through: 1, by: -1) {
            let chains = rows.map { min(max(count, $0.bounds.lowerBound), $0.bounds.upperBound) }
            if count == 1 || cost.rowSeconds(shape(rows, chains)) <= limit { return chains }
        }
        return rows.map(\.bounds.lowerBound)
    }

    private func shape(_ rows: [Row], _ chains: [Int]) -> StepShape {
        var shape = StepShape(chains: cost.tiers.count)
        for (row, count) in zip(rows, chains) { shape.add(position: row.position, chains: count) }
        return shape
    }
}
