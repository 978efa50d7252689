import Core
import Scheduling
import TestSupport
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
        let shape = StepShape(silent: .init(count: 7, context: 100), tiers: [5, 3, 0], context: 2000)
        let first = 0.1 + 5 * 0.01, tiers = [0.2 + 5 * 0.02, 0.4 + 3 * 0.04]
        let rows = first + tiers[0] + tiers[1] + 2000e-5
        let silent = 7 * 0.01 + 100e-5
        #expect(isNear(cost.rowSeconds(shape), rows))
        #expect(isNear(cost.silentSeconds(shape), silent))
        #expect(isNear(cost.seconds(shape), rows + silent))
    }

    @Test func silentRowsAlonePayForReadingTheFirstChain() {
        let shape = StepShape(silent: .init(count: 4, context: 50), tiers: [0, 0, 0])
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
        let chunk = 0.1 + 10 * 0.01, context = 465.0
        #expect(isNear(cost.prefillSeconds(tokens: 30, chunk: 10), 3 * chunk + context * 1e-5))
        // A prompt shorter than a chunk is one chunk.
        let short = 0.1 + 4 * 0.01 + 10e-5
        #expect(isNear(cost.prefillSeconds(tokens: 4, chunk: 10), short))
        #expect(cost.prefillSeconds(tokens: 0, chunk: 10) == 0)
    }

    /// A prompt's tokens look at their own prompt only.
    @Test func manyPromptsTakeAsLongAsOneAfterTheOther() {
        var prompts = SilentRows()
        for _ in 0..<7 { prompts += SilentRows(start: 0, count: 30) }
        #expect(isNear(cost.prefillSeconds(prompts, chunk: 10), 7 * cost.prefillSeconds(tokens: 30, chunk: 10)))
    }

    @Test func aTokensShareOfAFullBatch() {
        let tokens = cost.tokenSeconds(rows: 6, position: 10)
        for chains in 1...3 {
            #expect(isNear(tokens[chains - 1], cost.decodeSeconds(rows: 6, chains: chains, position: 10) / 6))
        }
    }

    // MARK: Correction

    private static let rows = StepShape(tiers: [8, 8, 8], context: 500)
    private static let silent = StepShape(silent: .init(count: 64, context: 2080), tiers: [0, 0, 0])

    @Test func rowsThatBecameTwiceAsSlow() {
        var learned = cost
        for _ in 0..<150 { learned.observe(Self.rows, seconds: 2 * cost.seconds(Self.rows)) }
        #expect(isNear(learned.scale(rows: 8), 2, share: 0.01))
        #expect(learned.silentScale == 1)
        #expect(isNear(learned.seconds(Self.rows), 2 * cost.seconds(Self.rows), share: 0.01))
    }

    /// What only crowds suffer from is remembered of crowds.
    @Test func aCrowdHasAScaleOfItsOwn() {
        var learned = cost
        let few = StepShape(tiers: [2, 2, 2], context: 100), many = StepShape(tiers: [40, 40, 40], context: 900)
        for _ in 0..<300 {
            learned.observe(many, seconds: 1.5 * cost.seconds(many))
            learned.observe(few, seconds: cost.seconds(few))
        }
        #expect(isNear(learned.seconds(many), 1.5 * cost.seconds(many), share: 0.03))
        #expect(isNear(learned.seconds(few), cost.seconds(few), share: 0.03))
        for _ in 0..<300 { learned.observe(few, seconds: cost.seconds(few)) }
        #expect(isNear(learned.seconds(many), 1.5 * cost.seconds(many), share: 0.06))
    }

    /// However long no crowd comes and however steps vary, what is expected of one is near to what the machine does.
    @Test func whatIsNeverSeenStaysNearToWhatIs() {
        var learned = cost
        var random = SeededGenerator(seed: 4)
        var rows = 1
        for _ in 0..<100_000 {
            if Int.random(in: 0..<10, using: &random) == 0 { rows = .random(in: 1...31, using: &random) }
            let shape = StepShape(tiers: [rows, rows, rows], context: 10 * rows)
            let stall = Int.random(in: 0..<100, using: &random) == 0 ? 4.0 : 1
            let slowness = (rows < 4 ? 1.3 : rows < 16 ? 1 : 1.4) * stall * Double.random(in: 0.6...1.4, using: &random)
            learned.observe(shape, seconds: slowness * cost.seconds(shape))
        }
        #expect((0.9...1.6).contains(learned.scale(rows: 32)))
        #expect((0.9...1.6).contains(learned.scale(rows: 1000)))
    }

    /// What happens to the machine is expected of every step.
    @Test func aSlowerMachineIsSlowerForAll() {
        var learned = cost
        for _ in 0..<300 { learned.observe(Self.rows, seconds: 2 * cost.seconds(Self.rows)) }
        let soon = learned.scale(rows: 1)
        #expect((1.05...1.1).contains(soon))
        for _ in 0..<20_000 { learned.observe(Self.rows, seconds: 2 * cost.seconds(Self.rows)) }
        #expect(isNear(learned.scale(rows: 1), 2, share: 0.01))
        #expect(learned.scale(rows: 1) == learned.scale(rows: 1000))
    }

    @Test func promptsThatBecameTwiceAsSlow() {
        var learned = cost
        for _ in 0..<150 { learned.observe(Self.silent, seconds: 2 * cost.seconds(Self.silent)) }
        #expect(isNear(learned.silentScale, 2, share: 0.01))
        #expect(learned.scale(rows: 8) == 1)
        let before = cost.prefillSeconds(tokens: 64, chunk: 64)
        #expect(isNear(learned.prefillSeconds(tokens: 64, chunk: 64), 2 * before, share: 0.01))
    }

    @Test func oneInterruptedStepMovesLittle() {
        var learned = cost
        learned.observe(Self.rows, seconds: 1000 * cost.seconds(Self.rows))
        #expect(1..<1.07 ~= learned.scale(rows: 8) && learned.scale(rows: 8) > 1)
        var faster = cost
        faster.observe(Self.rows, seconds: cost.seconds(Self.rows) / 1000)
        #expect(0.96..<1 ~= faster.scale(rows: 8))
    }

    @Test func theScaleHasBounds() {
        var slow = cost, fast = cost
        for _ in 0..<1000 {
            slow.observe(Self.rows, seconds: 1e6)
            fast.observe(Self.rows, seconds: 1e-9)
        }
        #expect(slow.scale(rows: 8) == 8)
        #expect(fast.scale(rows: 8) == 0.25)
    }

    @Test func whatCannotBeAStepTimeTeachesNothing() {
        var learned = cost
        learned.observe(Self.rows, seconds: 0)
        learned.observe(Self.rows, seconds: -1)
        learned.observe(StepShape(chains: 3), seconds: 1)
        #expect(learned == cost)
    }
}
