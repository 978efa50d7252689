import Dispatch
import LoadTesting
import Scheduling
import Simulation
import Synchronization

/// The same workload under several policies, side by side on all processors: each run is a value of its own.
struct PolicyRuns {
    /// What came of one policy.
    struct Run: Sendable {
        var result: Simulator.Result
        /// That the run took, beside the others.
        var seconds: Double
    }

    /// In the order of the policies.
    let runs: [Run]
    /// That all took together.
    let seconds: Double

    /// - Parameters:
    ///   - options: of all, but for the policy.
    ///   - rule: limits of each request.
    init(_ policies: [ChainPolicy], _ load: Workload, _ options: Simulator.Options, _ rule: LatencyRule) {
        let count = load.arrivals.count
        let bar = Mutex(ProgressBar("simulate", total: count * policies.count, unit: "requests"))
        let arrived = Mutex([Int](repeating: 0, count: policies.count))
        let finished = Mutex([Run?](repeating: nil, count: policies.count))
        let start = ContinuousClock.now
        DispatchQueue.concurrentPerform(iterations: policies.count) { index in
            var options = options
            options.policy = policies[index]
            let start = ContinuousClock.now
            let result = Simulator.run(load, options, limits: rule.limits(of:)) { now in
                let all = arrived.withLock { arrived in
                    arrived[index] = now
                    return arrived.reduce(0, +)
                }
                bar.withLock { $0.update(all) }
            }
            let run = Run(result: result, seconds: (ContinuousClock.now - start) / .seconds(1))
            finished.withLock { $0[index] = run }
        }
        seconds = (ContinuousClock.now - start) / .seconds(1)
        bar.withLock { $0.finish() }
        runs = finished.withLock { $0.compactMap { $0 } }
    }
}
