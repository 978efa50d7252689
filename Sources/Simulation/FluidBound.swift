import LoadTesting
import Scheduling

/// The most chains a token can have on average, whatever the scheduler does: requests as a fluid that never waits, in
/// batches that are always full.
///
/// At a given load there are so many seconds of the machine for a token. The sizes are points (seconds a token, chains);
/// time-sharing between sizes reaches every point between them, so the bound is the upper concave hull of the points, taken at
/// those seconds.
package struct FluidBound: Sendable {
    /// Seconds of the machine that a token takes at `k` chains, position `k - 1`, in a full batch.
    package let tokenSeconds: [Double]
    /// Seconds that a request's prompt takes, and tokens of its answer, on average.
    package let promptSeconds: Double
    package let outputTokens: Double

    package init(_ workload: Workload, cost: CostModel, limits: SchedulerLimits) {
        let prompt = workload.meanPromptTokens, output = workload.meanOutputTokens
        let position = Int(prompt + output / 2)
        tokenSeconds = cost.tokenSeconds(rows: limits.running, position: position)
        promptSeconds =
            workload.arrivals.isEmpty
            ? 0
            : workload.arrivals.reduce(0) {
                $0 + Self.promptSeconds($1, cost: cost, limits: limits)
            } / Double(workload.arrivals.count)
        outputTokens = output
    }

    /// A prompt's tokens ride along with a full batch, which reads the weights for them.
    private static func promptSeconds(_ arrival: Arrival, cost: CostModel, limits: SchedulerLimits) -> Double {
        var shape = StepShape(chains: limits.chains)
        shape.tiers[0] = limits.running
        shape.addSilent(start: 0, count: arrival.promptTokens - 1)
        return cost.silentSeconds(shape)
    }

    /// Requests a second that the machine serves at one chain.
    package var capacity: Double { 1 / (promptSeconds + outputTokens * tokenSeconds[0]) }

    /// The bound for the mean chain count at `rate` requests a second; 1 where even that cannot be served.
    package func chains(atRate rate: Double) -> Double {
        let seconds = (1 / rate - promptSeconds) / outputTokens
        var best = 1.0
        for (low, cheap) in tokenSeconds.enumerated() where cheap <= seconds {
            best = max(best, Double(low + 1))
            for high in (low + 1)..<max(low + 1, tokenSeconds.count) where tokenSeconds[high] > seconds {
                let share = (seconds - cheap) / (tokenSeconds[high] - cheap)
                best = max(best, Double(low + 1) + share * Double(high - low))
            }
        }
        return best
    }
}
