import LoadTesting
import Scheduling

extension Simulator {
    /// Requests a second of a workload's lengths that the machine serves at one chain when it never waits for any.
    package static func capacity(of workload: Workload, _ options: Options) -> Double {
        let arrivals = workload.arrivals.prefix(saturation).map {
            Arrival(time: 0, promptTokens: $0.promptTokens, outputTokens: $0.outputTokens)
        }
        var saturated = options
        saturated.policy = .fixed(1)
        saturated.noise = 0
        saturated.limits.queued = arrivals.count
        let result = run(Workload(arrivals: arrivals, duration: 1), saturated, limits: { _ in LatencyLimits() })
        return Double(arrivals.count) / result.busySeconds
    }

    /// Requests that a capacity is measured with.
    private static let saturation = 2000
}

extension UnloadedTime {
    /// A request alone on the machine, at all chains. Linear in its lengths, as the budgets' rule is.
    package init(_ cost: CostModel, limits: SchedulerLimits, position: Int) {
        self.init(
            base: 0,
            perPromptToken: cost.prefillSeconds(tokens: limits.stepTokens, chunk: limits.stepTokens)
                / Double(limits.stepTokens),
            perOutputToken: cost.decodeSeconds(rows: 1, chains: limits.chains, position: position)
        )
    }
}
