import LoadTesting
import Scheduling
import Testing

@testable import Simulation

@Suite struct FluidBoundTests {
    /// Sizes that cost 1, 3, 6 and 10 milliseconds a token in batches of one, and prompts that cost nothing.
    private func bound() -> FluidBound {
        let cost = CostModel(
            first: CostCurve([.init(rows: 1, seconds: 0)]),
            tiers: [1, 2, 3, 4].map { CostCurve([.init(rows: 1, seconds: $0 * 1e-3)]) },
            attention: 0
        )
        let limits = SchedulerLimits(
            running: 1,
            queued: 1,
            stepTokens: 16,
            poolBlocks: 100,
            blockTokens: 16,
            chains: 4
        )
        let arrivals = (0..<10).map { Arrival(time: Double($0), promptTokens: 4, outputTokens: 10) }
        return FluidBound(Workload(arrivals: arrivals, duration: 10), cost: cost, limits: limits)
    }

    @Test func timeSharingBetweenNeighbouringSizes() {
        let bound = bound()
        #expect(abs(bound.capacity - 100) < 1e-9)
        // 2 ms a token: half of the tokens at one chain, half at two.
        #expect(abs(bound.chains(atRate: 50) - 1.5) < 1e-9)
        #expect(abs(bound.chains(atRate: 100.0 / 3) - 2) < 1e-9)
    }

    @Test func theEndsOfTheHull() {
        #expect(bound().chains(atRate: 1) == 4)
        #expect(bound().chains(atRate: 1000) == 1)
    }
}
