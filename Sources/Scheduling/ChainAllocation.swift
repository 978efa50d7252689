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
        /// What it gets.
        var chains = 0
    }

    let cost: CostModel
    /// Seconds a step may take by its rows with logits; infinite without a limit.
    let limit: Double
    /// Of the requests that come, as ``OfferedLoad`` says.
    let load: Double
    let safety: Double

    /// Decides on the chain count of each row.
    func allocate(_ rows: inout [Row], policy: ChainPolicy) {
        switch policy {
        case .elastic(let rules): elastic(&rows, rules)
        case .slackFit: slackFit(&rows)
        case .fixed(let count): give(count, &rows)
        }
    }

    /// Gives all rows a chain count, or what is nearest to it of what they may have.
    private func give(_ count: Int, _ rows: inout [Row]) {
        for index in rows.indices {
            rows[index].chains = min(max(count, rows[index].bounds.lowerBound), rows[index].bounds.upperBound)
        }
    }

    private func elastic(_ rows: inout [Row], _ rules: ElasticRules) {
        guard limit < .infinity else { return give(cost.tiers.count, &rows) }
        let raising = rules.share(load: load, safety: safety) * limit
        let keeping = min(raising * rules.hysteresis, limit)
        give(1, &rows)
        var seconds = cost.rowSeconds(shape(rows))
        for tier in stride(from: 2, through: cost.tiers.count, by: 1) {
            // Rows that have the tier, and those that are to get it.
            var given = 0, added = 0, context = 0
            var isOpen = false
            for row in rows {
                if row.chains >= tier { given += 1 }
                guard row.chains == tier - 1 && row.bounds.upperBound >= tier else { continue }
                added += 1
                context += row.position + 1
                if row.previous >= tier { isOpen = true }
            }
            guard added > 0 else { continue }
            seconds += cost.seconds(adding: added, to: given, tier: tier, context: context, of: rows.count)
            guard seconds <= (isOpen ? keeping : raising) else { return }
            for index in rows.indices where rows[index].chains == tier - 1 && rows[index].bounds.upperBound >= tier {
                rows[index].chains = tier
            }
        }
    }

    private func slackFit(_ rows: inout [Row]) {
        for count in stride(from: cost.tiers.count, through: 1, by: -1) {
            give(count, &rows)
            if count == 1 || cost.rowSeconds(shape(rows)) <= limit { return }
        }
    }

    private func shape(_ rows: [Row]) -> StepShape {
        var shape = StepShape(chains: cost.tiers.count)
        for row in rows { shape.add(position: row.position, chains: row.chains) }
        return shape
    }
}
