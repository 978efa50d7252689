import LoadTesting
import Scheduling
import Testing

@testable import Simulation

@Suite struct SimulatorTests {
    private static let limits = SchedulerLimits(
        running: 16,
        queued: 64,
        stepTokens: 128,
        poolBlocks: 400,
        blockTokens: 16,
        chains: 4
    )

    /// A machine bound by reading weights: rows ride along nearly free, and tier i is i times as wide as the first.
    private static let cost = CostModel(
        first: CostCurve(fixed: 1e-3, each: 5e-6),
        tiers: [0.2e-3, 2e-3, 3e-3, 4e-3].map { CostCurve(fixed: $0, each: 5e-6) },
        attention: 1e-9
    )

    private func workload(load: Double, requests: Int, variation: Double = 2, seed: UInt64 = 1) throws -> Workload {
        let process = try ArrivalProcess(gaps: .gamma(squaredVariation: variation), rate: .constant(1))
        let workload = try Workload(
            process,
            prompt: .uniform(8...64),
            output: .uniform(40...120),
            until: .requests(requests),
            seed: seed
        )
        let bound = FluidBound(workload, cost: Self.cost, limits: Self.limits)
        return try workload.scaled(toRate: load * bound.capacity)
    }

    private func run(
        _ workload: Workload,
        _ policy: ChainPolicy,
        noise: Double = 0,
        seed: UInt64 = 1,
        limits: SchedulerLimits = SimulatorTests.limits,
        budget: Double? = 1.5
    ) -> Simulator.Result {
        var options = Simulator.Options(limits: limits, policy: policy, cost: Self.cost)
        options.noise = noise
        options.seed = seed
        return Simulator.run(workload, options, limits: { _ in LatencyLimits(total: budget) })
    }

    private func attainment(_ result: Simulator.Result) -> Double {
        Double(result.outcomes.count { $0.isMet == true }) / Double(result.outcomes.count)
    }

    private func meanChains(_ result: Simulator.Result) -> Double {
        let tokens = result.outcomes.reduce(0) { $0 + $1.outputTokens }
        let chains = result.outcomes.flatMap(\.runs).reduce(0) { $0 + $1.tokens * $1.chains }
        return Double(chains) / Double(tokens)
    }

    // MARK: Conservation

    /// Overload, a small pool and a short queue: whatever happens to a request, it is accounted for.
    @Test(arguments: [0.5, 1.5, 4.0]) func everyRequestHasAnOutcome(load: Double) throws {
        var limits = Self.limits
        limits.poolBlocks = 60
        limits.queued = 8
        let workload = try workload(load: load, requests: 400)
        let result = run(workload, .elastic(ElasticRules()), noise: 0.2, limits: limits, budget: 1)
        #expect(result.outcomes.count == 400)
        for (outcome, arrival) in zip(result.outcomes, workload.arrivals) {
            #expect(outcome.scheduled == arrival.time && outcome.end >= arrival.time)
            #expect(outcome.chainTokens.reduce(0, +) == outcome.outputTokens)
            #expect(outcome.runs.reduce(0) { $0 + $1.tokens } == outcome.outputTokens)
            switch outcome.status {
            case .completed: #expect(outcome.outputTokens == arrival.outputTokens)
            case .cut: #expect(outcome.outputTokens < arrival.outputTokens)
            case .rejected: #expect(outcome.outputTokens == 0)
            case .failed, .unfinished: Issue.record("\(outcome)")
            }
        }
        let end = result.outcomes.map(\.end).max() ?? 0
        #expect(result.steps > 0 && result.busySeconds > 0 && result.busySeconds <= end)
        // Every token takes a step, and a step gives each of 16 requests at most one.
        let tokens = result.outcomes.reduce(0) { $0 + $1.outputTokens }
        #expect(tokens <= result.steps * 16)
        if load > 2 { #expect(result.outcomes.contains { $0.status != .completed }) }
    }

    @Test func aPoolThatRunsDryLosesNothing() throws {
        var limits = Self.limits
        limits.poolBlocks = 40
        let result = run(
            try workload(load: 0.9, requests: 300),
            .fixed(1),
            limits: limits,
            budget: nil
        )
        #expect(result.preemptions > 0)
        #expect(result.outcomes.allSatisfy { $0.status == .completed || $0.status.isOverload })
        #expect(result.outcomes.count { $0.status == .completed } > 200)
    }

    @Test func aSeedRepeats() throws {
        let workload = try workload(load: 0.7, requests: 200)
        let policy = ChainPolicy.elastic(ElasticRules())
        let first = run(workload, policy, noise: 0.3, seed: 5), second = run(workload, policy, noise: 0.3, seed: 5)
        #expect(first.outcomes == second.outcomes && first.busySeconds == second.busySeconds)
        #expect(run(workload, policy, noise: 0.3, seed: 6).outcomes != first.outcomes)
    }

    @Test func anIdleMachineAnswersAsFastAsTheCostModelSays() throws {
        let workload = Workload(arrivals: [Arrival(time: 3, promptTokens: 1, outputTokens: 10)], duration: 4)
        let result = run(workload, .fixed(4), budget: nil)
        var seconds = 0.0
        for position in 1...10 { seconds += Self.cost.decodeSeconds(rows: 1, chains: 4, position: position) }
        #expect(abs(result.outcomes[0].end - 3 - seconds) < 1e-8)
        #expect(abs(result.busySeconds - seconds) < 1e-8 && result.steps == 10)
        #expect(result.outcomes[0].chainTokens == [0, 0, 0, 10])
    }

    // MARK: What it is for

    /// Bursts at 0.8 of what the smallest size can serve. With budgets of 3 s the queue would be full long before any of
    /// them is in danger.
    @Test(arguments: [1.5, 3]) func elasticServesWhereTheFullSizeCollapses(budget: Double) throws {
        let workload = try workload(load: 0.8, requests: 1500)
        let full = run(workload, .fixed(4), budget: budget)
        let elastic = run(workload, .elastic(ElasticRules()), budget: budget)
        #expect(attainment(full) < 0.5)
        #expect(attainment(elastic) >= 0.999)
        // The last answers end after the last request has come.
        let end = elastic.outcomes.map(\.end).max() ?? workload.duration
        let bound = FluidBound(workload, cost: Self.cost, limits: Self.limits).chains(atRate: 1500 / end)
        let mean = meanChains(elastic)
        #expect(mean > 0.9 * bound && mean <= bound, "\(mean) of \(bound)")
    }

    @Test func aLowLoadGetsNearlyAllChains() throws {
        let elastic = run(try workload(load: 0.05, requests: 300), .elastic(ElasticRules()))
        #expect(attainment(elastic) == 1)
        #expect(meanChains(elastic) > 3.8)
    }
}

extension RequestOutcome.Status {
    fileprivate var isOverload: Bool { self == .rejected(status: 503, code: "server_is_overloaded") }
}
