import Core
import Scheduling
import Testing

@Suite struct StepShapeTests {
    @Test func aPlanOfEveryKindOfPart() {
        let plan = StepPlan(parts: [
            .init(id: "decodes", start: 9, count: 1, chains: 2, logits: .last),
            .init(id: "begins", start: 0, count: 4, chains: 3, logits: .none),
            .init(id: "completes", start: 2, count: 3, chains: 3, logits: .last),
            .init(id: "tells all", start: 1, count: 2, chains: 1, logits: .all),
        ])
        let shape = plan.shape(chains: 3)
        // Rows with logits: 9 at 2 chains; 4 at 3; 1 and 2 at 1.
        #expect(shape.tiers == [4, 2, 1])
        #expect(shape.rows == 4)
        #expect(shape.context == 10 * 2 + 5 * 3 + 2 + 3)
        // Silent ones: 0, 1, 2, 3, and 2, 3.
        #expect(shape.silent.count == 6)
        #expect(shape.silent.context == 1 + 2 + 3 + 4 + 3 + 4)
    }

    @Test func anEmptyPlan() {
        #expect(StepPlan().shape(chains: 4) == StepShape(tiers: [0, 0, 0, 0]))
    }
}
