import Core
import Scheduling
import Testing

@Suite struct CostModelTests {
    /// Ten times as expensive as it is wide, so that no term hides behind another.
    private let cost = CostModel(
        first: CostCurve(fixed: 0.1, each: 0.01),
        tiers: [
            CostCurve(fixed: 0.2, each: 0.02), CostCurve(fixed: 0.4, each: 0.04), CostCurve(fixed: 0.8, each: 0.08),
        ],
        attention: 1e-5
    )

    private func isNear(_ a: Double, _ b: Double, share: Double = 1e-9) -> Bool { abs(a - b) <= share * abs(b) }

    @Test func theDocumentedFormula() {
        let shape = StepShape(silentRows: 7, tiers: [5, 3, 0], silentContext: 100, context: 2000)
        let first = 0.1 + 5 * 0.01, tiers = [0.2 + 5 * 0.02, 0.4 + 3 * 0.04]
        let rows = first + tiers[0] + tiers[1] + 2000e-5
        let silent = 7 * 0.01 + 100e-5
        #expect(isNear(cost.rowSeconds(shape), rows))
        #expect(isNear(cost.silentSeconds(shape), silent))
        #expect(isNear(cost.seconds(shape), rows + silent))
    }

    @Test func silentRowsAlonePayForReadingTheFirstChain() {
        let shape = StepShape(silentRows: 4, tiers: [0, 0, 0], silentContext: 50)
        #expect(cost.rowSeconds(shape) == 0)
        #expect(isNear(cost.seconds(shape), 0.1 + 4 * 0.01 + 50e-5))
        #expect(cost.seconds(StepShape(chains: 3)) == 0)
    }

    @Test func aStepOfEqualRowsIsADecodingStep() {
        var shape = StepShape(chains: 3)
        for _ in 0..<6 { shape.add(position: 9, chains: 2) }
        #expect(isNear(cost.decodeSeconds(rows: 6, chains: 2, position: 10), cost.seconds(shape)))
    }

    @Test func promptsInChunks() {
        let chunk = 0.1 + 10 * 0.01, context = 450.0
        #expect(isNear(cost.prefillSeconds(tokens: 30, chunk: 10), 3 * chunk + context * 1e-5))
        // A prompt shorter than a chunk is one chunk.
        let short = 0.1 + 4 * 0.01 + 8e-5
        #expect(isNear(cost.prefillSeconds(tokens: 4, chunk: 10), short))
        #expect(cost.prefillSeconds(tokens: 0, chunk: 10) == 0)
    }

    // MARK: Correction

    private static let rows = StepShape(tiers: [8, 8, 8], context: 500)
    private static let silent = StepShape(silentRows: 64, tiers: [0, 0, 0], silentContext: 2080)

    @Test func rowsThatBecameTwiceAsSlow() {
        var learned = cost
        for _ in 0..<150 { learned.observe(Self.rows, seconds: 2 * cost.seconds(Self.rows)) }
        #expect(isNear(learned.scale, 2, share: 0.01))
        #expect(learned.silentScale == 1)
        #expect(isNear(learned.seconds(Self.rows), 2 * cost.seconds(Self.rows), share: 0.01))
    }

    @Test func promptsThatBecameTwiceAsSlow() {
        var learned = cost
        for _ in 0..<150 { learned.observe(Self.silent, seconds: 2 * cost.seconds(Self.silent)) }
        #expect(isNear(learned.silentScale, 2, share: 0.01))
        #expect(learned.scale == 1)
        let before = cost.prefillSeconds(tokens: 64, chunk: 64)
        #expect(isNear(learned.prefillSeconds(tokens: 64, chunk: 64), 2 * before, share: 0.01))
    }

    @Test func oneInterruptedStepMovesLittle() {
        var learned = cost
        learned.observe(Self.rows, seconds: 1000 * cost.seconds(Self.rows))
        #expect(learned.scale > 1 && learned.scale < 1.07)
        var faster = cost
        faster.observe(Self.rows, seconds: cost.seconds(Self.rows) / 1000)
        #expect(faster.scale < 1 && faster.scale > 0.96)
    }

    @Test func theScaleHasBounds() {
        var slow = cost, fast = cost
        for _ in 0..<1000 {
            slow.observe(Self.rows, seconds: 1e6)
            fast.observe(Self.rows, seconds: 1e-9)
        }
        #expect(slow.scale == 8)
        #expect(fast.scale == 0.25)
    }

    @Test func whatCannotBeAStepTimeTeachesNothing() {
        var learned = cost
        learned.observe(Self.rows, seconds: 0)
        learned.observe(Self.rows, seconds: -1)
        learned.observe(StepShape(chains: 3), seconds: 1)
        #expect(learned == cost)
    }
}
