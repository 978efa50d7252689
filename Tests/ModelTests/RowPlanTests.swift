// The order of rows: prefixes by chain, results back in the batch's order.

import KVCache
import Testing

@testable import Model

@Suite struct RowPlanTests {
    static func segment(_ count: Int, chains: Int, _ logits: Segment.Logits, start: Int = 0) -> Segment {
        Segment(
            tokens: (0..<count).map { Int32(start + $0) },
            start: start,
            blocks: (0..<BlockID((start + count + 15) / 16)).map { $0 + BlockID(100 * start) },
            chains: chains,
            logits: logits
        )
    }

    static let batch = Batch(segments: [
        segment(3, chains: 2, .last),
        segment(1, chains: 1, .last, start: 7),
        segment(70, chains: 3, .last, start: 1),
        segment(2, chains: 3, .none, start: 2),
        segment(1, chains: 4, .last, start: 30),
        segment(66, chains: 2, .all, start: 5),
        segment(2, chains: 3, .all, start: 9),
    ])

    @Test(arguments: [false, true])
    func rowsOfAChainAreAPrefixOfTheirGroup(separates: Bool) {
        var plan = RowPlan()
        plan.sort(Self.batch, maxChains: 4, separatesLongRuns: separates)
        #expect(plan.rows.count == Self.batch.tokenCount)
        #expect(plan.few.count + plan.long.count == plan.rows.count)
        #expect(plan.long.count == (separates ? 69 + 66 : 0))
        for group in [plan.few, plan.long] {
            let rows = plan.rows[group.first..<group.first + group.count]
            for chain in 1...4 {
                let with = rows.prefix { $0.chains >= chain }.count
                #expect(with == rows.count { $0.chains >= chain }, "not a prefix")
                #expect(group.rows(chain: chain, last: false) == with)
                #expect(group.rows(chain: chain, last: true) == (chain == 1 ? group.wanting : with))
            }
        }
        #expect(plan.wanting == Self.batch.logitsCount)
        #expect(plan.runs.map(\.count) == (separates ? [66, 69] : []))
        #expect(plan.runs.map(\.wantsLogits) == (separates ? [true, false] : []))
        #expect(plan.runs.allSatisfy { $0.first >= plan.long.first })
    }

    @Test(arguments: [false, true])
    func placesLeadBackToTheBatch(separates: Bool) {
        var plan = RowPlan()
        plan.sort(Self.batch, maxChains: 4, separatesLongRuns: separates)
        #expect(Set(plan.logitsPlaces) == Set(0..<plan.wanting))
        var wanted = 0
        for segment in Self.batch.segments {
            for offset in segment.tokens.indices.suffix(segment.logitsCount) {
                let row = plan.rows[plan.row(active: plan.logitsPlaces[wanted], last: true)]
                #expect(row.token == segment.tokens[offset] && row.position == segment.start + offset)
                #expect(row.chains == segment.chains)
                #expect(Array(plan.blocks[row.table..<row.table + segment.blocks.count]) == segment.blocks)
                wanted += 1
            }
        }
    }

    /// A pass that was long must leave nothing in the next one's plan.
    @Test func sortingAgainStartsAnew() {
        var plan = RowPlan(), fresh = RowPlan()
        plan.sort(Self.batch, maxChains: 4, separatesLongRuns: true)
        let next = Batch(segments: [Self.segment(1, chains: 2, .last, start: 4)])
        plan.sort(next, maxChains: 4, separatesLongRuns: false)
        fresh.sort(next, maxChains: 4, separatesLongRuns: false)
        #expect(plan.rows.map(\.token) == fresh.rows.map(\.token) && plan.blocks == fresh.blocks)
        #expect(
            plan.runs.isEmpty && plan.logitsPlaces == [0] && plan.long.count == 0 && plan.few.tiers == [1, 1, 0, 0]
        )
    }
}
