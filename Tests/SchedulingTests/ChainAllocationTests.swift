import TestSupport
import Testing

@testable import Scheduling

@Suite struct ChainAllocationTests {
    /// A millisecond for each tier that any row is in, and a hundredth for every row of it.
    private let cost = CostModel.flat(chains: 4)
    private let rules = ChainPolicy.elastic(ElasticRules(idleShare: 1, fullShare: 0.5, most: 1, hysteresis: 1.1))

    private func row(_ bounds: ClosedRange<Int> = 1...4, previous: Int = 0, position: Int = 50) -> ChainAllocation.Row {
        .init(bounds: bounds, previous: previous, position: position)
    }

    private func chains(
        _ rows: [ChainAllocation.Row],
        limit: Double,
        load: Double = 0,
        safety: Double = .infinity,
        _ policy: ChainPolicy? = nil
    ) -> [Int] {
        var rows = rows
        ChainAllocation(cost: cost, limit: limit, load: load, safety: safety).allocate(&rows, policy: policy ?? rules)
        return rows.map(\.chains)
    }

    @Test func withoutALimitEverybodyGetsTheMost() {
        #expect(chains([row(), row(1...2), row(3...3)], limit: .infinity, safety: 0) == [4, 2, 3])
    }

    @Test func aLimitTooTightLeavesTheFloors() {
        #expect(chains([row(), row(2...4), row(3...3)], limit: 1e-9) == [1, 2, 3])
    }

    @Test func tiersAreGivenAsAWhole() {
        // 8 rows: 1.16 ms at one chain, 1.08 more for every other.
        let rows = (0..<8).map { _ in row() }
        #expect(chains(rows, limit: 2.2e-3) == Array(repeating: 1, count: 8))
        #expect(chains(rows, limit: 2.25e-3) == Array(repeating: 2, count: 8))
        #expect(chains(rows, limit: 3.33e-3) == Array(repeating: 3, count: 8))
        #expect(chains(rows, limit: 4.41e-3) == Array(repeating: 4, count: 8))
    }

    @Test func aHighLoadLeavesLessOfThePace() {
        let rows = (0..<8).map { _ in row() }
        #expect(chains(rows, limit: 4.5e-3, load: 0) == Array(repeating: 4, count: 8))
        #expect(chains(rows, limit: 4.5e-3, load: 0.5) == Array(repeating: 3, count: 8))
        #expect(chains(rows, limit: 4.5e-3, load: 1) == Array(repeating: 2, count: 8))
    }

    @Test func littleSafetyLeavesLessOfThePace() {
        let rows = (0..<8).map { _ in row() }
        #expect(chains(rows, limit: 4.5e-3, safety: 14) == Array(repeating: 4, count: 8))
        #expect(chains(rows, limit: 4.5e-3, safety: 7) == Array(repeating: 2, count: 8))
        #expect(chains(rows, limit: 4.5e-3, safety: 0) == Array(repeating: 1, count: 8))
    }

    @Test func eagernessMovesTheShare() {
        #expect(ElasticRules().share(load: 0, safety: .infinity) == 0.9)
        #expect(abs(ElasticRules().share(load: 0.5, safety: .infinity) - 0.65) < 1e-9)
        #expect(ElasticRules().share(load: 9, safety: .infinity) == 0)
        #expect(ElasticRules().share(load: 0.5, safety: 7) == 0.5)
        #expect(ElasticRules(eagerness: 0.5).share(load: 0, safety: .infinity) == 0.45)
        #expect(ElasticRules(eagerness: 10).share(load: 0.5, safety: .infinity) == 0.95)
        #expect(ElasticRules(eagerness: 10).share(load: 0.5, safety: 0) == 0)
    }

    @Test func withoutEagernessNothingIsSpent() {
        let rules = ChainPolicy.elastic(ElasticRules(eagerness: 0))
        #expect(chains([row(), row(2...4)], limit: 1, rules) == [1, 2])
        #expect(chains([row(), row(2...4)], limit: .infinity, rules) == [4, 4])
    }

    @Test func aChainIsKeptForALittleMoreThanItIsGivenFor() {
        // Two chains take 2.24 ms.
        let fresh = (0..<8).map { _ in row() }, used = (0..<8).map { _ in row(previous: 2) }
        #expect(chains(fresh, limit: 4.2e-3, safety: 7) == Array(repeating: 1, count: 8))
        #expect(chains(used, limit: 4.2e-3, safety: 7) == Array(repeating: 2, count: 8))
        #expect(chains(used, limit: 4.0e-3, safety: 7) == Array(repeating: 1, count: 8))
        // Having had two chains is no reason for a third.
        #expect(chains(used, limit: 6.4e-3, safety: 7) == Array(repeating: 2, count: 8))
        // Nor for breaking the pace.
        #expect(chains(used, limit: 2.2e-3) == Array(repeating: 1, count: 8))
    }

    @Test func boundsHoldUnderEveryPolicy() {
        var random = SeededGenerator(seed: 9)
        for _ in 0..<2000 {
            let rows = randomRows(&random)
            let limit = Double.random(in: 0...8e-3, using: &random)
            for policy in [rules, .slackFit, .fixed(Int.random(in: 1...4, using: &random))] {
                let given = chains(
                    rows,
                    limit: limit,
                    load: .random(in: 0...1.2, using: &random),
                    safety: .random(in: 0...20, using: &random),
                    policy
                )
                #expect(given.count == rows.count)
                #expect(zip(given, rows).allSatisfy { $1.bounds.contains($0) })
            }
        }
    }

    @Test func aLargerLimitNeverGivesFewerChains() {
        var random = SeededGenerator(seed: 10)
        for _ in 0..<500 {
            let rows = randomRows(&random)
            for policy in [rules, .slackFit] {
                var before = 0
                for step in 0...40 {
                    let total = chains(rows, limit: Double(step) * 2e-4, policy).reduce(0, +)
                    #expect(total >= before)
                    before = total
                }
            }
        }
    }

    private func randomRows(_ random: inout SeededGenerator) -> [ChainAllocation.Row] {
        (0..<Int.random(in: 1...12, using: &random)).map { _ in
            let low = Int.random(in: 1...4, using: &random)
            return row(
                low...Int.random(in: low...4, using: &random),
                previous: .random(in: 0...4, using: &random),
                position: .random(in: 0...500, using: &random)
            )
        }
    }

    @Test func slackFitGivesOneCountToAll() {
        let rows = [row(), row(), row(1...2), row(3...4)]
        // At three chains 1.08 + 1.04 + 1.03 ms.
        #expect(chains(rows, limit: 3.2e-3, safety: 0, .slackFit) == [3, 3, 2, 3])
        #expect(chains(rows, limit: 1, .slackFit) == [4, 4, 2, 4])
        #expect(chains(rows, limit: 1e-9, .slackFit) == [1, 1, 1, 3])
    }

    @Test func fixedIsFixed() {
        #expect(chains([row(), row(1...2), row(4...4)], limit: 1e-9, .fixed(3)) == [3, 2, 4])
    }
}
