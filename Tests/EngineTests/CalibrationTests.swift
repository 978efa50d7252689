import Core
import KVCache
import Model
import Scheduling
import TestSupport
import Testing

@testable import Engine

/// Measuring a machine whose speed is known.
@Suite struct CalibrationTests {
    /// A model whose steps take what a cost model says, on a clock that only they move.
    private final class TimedModel: LanguageModel {
        private let model = PrefixHashModel()
        private let cost: CostModel
        private(set) var now = ContinuousClock.now
        var chainCount: Int { model.chainCount }
        /// So many times as long as it should a step takes.
        private let disturbance: () -> Double

        init(_ cost: CostModel, disturbance: @escaping () -> Double) {
            self.cost = cost
            self.disturbance = disturbance
        }

        func forward(_ batch: Batch, cache: BlockPool) -> Logits {
            var shape = StepShape(chains: chainCount)
            for segment in batch.segments {
                let count = segment.tokens.count
                shape.addSilent(start: segment.start, count: segment.logits == .none ? count : count - 1)
                if segment.logits == .last { shape.add(position: segment.start + count - 1, chains: segment.chains) }
            }
            now += .seconds(disturbance() * cost.seconds(shape))
            return model.forward(batch, cache: cache)
        }
    }

    private static let truth = CostModel(
        first: CostCurve(fixed: 2e-3, each: 5e-5),
        tiers: [(3e-4, 2e-5), (1e-3, 3e-5), (2e-3, 4e-5), (3e-3, 6e-5)].map { CostCurve(fixed: $0.0, each: $0.1) },
        attention: 2e-8
    )

    private func measure(
        time: Duration,
        poolBlocks: Int = 100,
        disturbance: @escaping () -> Double = { 1 }
    ) -> (cost: CostModel, loop: StepLoop) {
        let model = TimedModel(Self.truth, disturbance: disturbance)
        let pool = PrefixHashModel.makePool(blocks: poolBlocks)
        let limits = SchedulerLimits(
            running: 16,
            queued: 8,
            stepTokens: 128,
            poolBlocks: poolBlocks,
            blockTokens: 16,
            chains: 4
        )
        var loop = StepLoop(
            runtime: ModelRuntime(model: model, pool: pool),
            scheduler: Scheduler(limits: limits),
            memory: KVMemory(
                pool: pool,
                sessions: SessionStore(capacity: 4, timeToLive: .seconds(60)),
                directory: SessionDirectory(),
                sharesPrefixes: false
            ),
            outbox: Outbox(queue: .global())
        )
        var calibration = Calibration(limits: limits, contextLength: 1024, time: time) { model.now }
        return (calibration.run(&loop), loop)
    }

    private func expectNear(_ cost: CostModel, tolerance: Double) {
        for rows in [1, 3, 8, 12, 16] {
            for chains in 1...4 {
                var shape = StepShape(chains: 4)
                for _ in 0..<rows { shape.add(position: 100, chains: chains) }
                let expected = Self.truth.seconds(shape)
                #expect(
                    abs(cost.seconds(shape) - expected) < tolerance * expected,
                    "\(rows) rows, \(chains) chains: \(cost.seconds(shape)) for \(expected)"
                )
            }
        }
        for rows in [1, 20, 100, 128] {
            let expected = Self.truth.prefillSeconds(tokens: rows, chunk: 128)
            #expect(abs(cost.prefillSeconds(tokens: rows, chunk: 128) - expected) < tolerance * expected)
        }
    }

    @Test func theCostOfRowsAndTiersIsFound() {
        let (cost, loop) = measure(time: .seconds(60))
        expectNear(cost, tolerance: 0.05)
        #expect(abs(cost.attention - Self.truth.attention) < 0.1 * Self.truth.attention)
        #expect(loop.isIdle && loop.memory.pool.usedBlocks == 0)
    }

    /// The machine's curves are straight, so the coarsest points are enough to find them.
    @Test func littleTimeIsEnoughForTheCoarsePoints() {
        expectNear(measure(time: .zero).cost, tolerance: 0.1)
    }

    /// Fewer blocks than places.
    @Test func aSmallPoolIsMeasuredWithTheRowsItHolds() {
        expectNear(measure(time: .seconds(60), poolBlocks: 12).cost, tolerance: 0.1)
    }

    /// Other programs make steps many times as long, and there is no time to repeat many.
    @Test(arguments: 0..<40) func onABusyMachineMoreStillCostsMore(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let cost = measure(time: .milliseconds(300)) {
            Bool.random(using: &random) ? 1 : .random(in: 1...20, using: &random)
        }.cost
        for rows in 1...16 {
            for chains in 1...4 {
                let seconds = cost.decodeSeconds(rows: rows, chains: chains, position: 0)
                #expect(seconds >= 0.99 * Self.truth.decodeSeconds(rows: rows, chains: chains, position: 0))
                let smaller = chains > 1 ? cost.decodeSeconds(rows: rows, chains: chains - 1, position: 0) : 0
                #expect(seconds > 1.005 * smaller, "\(rows) rows: chain \(chains) is free")
                let fewer = rows > 1 ? cost.decodeSeconds(rows: rows - 1, chains: chains, position: 0) : 0
                #expect(seconds >= fewer, "\(chains) chains: row \(rows) takes less than none")
            }
        }
    }

    @Test func nothingOfItIsFoundByRequests() {
        let (_, loop) = measure(time: .seconds(60))
        #expect(loop.memory.sessions.count == 0)
        #expect(loop.memory.pool.cachedBlocks == 0 && loop.memory.pool.usedBlocks == 0)
    }
}
