import ArgumentParser
import Dispatch
import Engine
import Foundation
import KVCache
import LoadTesting
import Model
import Scheduling
import Simulation
import Synchronization

/// `catena simulate`: the server's scheduler under a load, with a cost model as the machine.
struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the scheduler over a load without a server, and compare chain policies.",
        discussion: """
            The machine is a cost model: measured now by a few steps of --model, or read from --cost. Scheduler, queue, \
            admission and policy are the server's own; time is counted and not waited for. Every request has a budget of \
            --budget-factor times what it takes alone at full size. docs/latency-budgets.md explains the policies and the \
            bound.

              catena simulate --load 0.8 --arrivals gamma --cv2 4 --requests 20000
              catena simulate --save-cost machine.json --load 0.5
              catena simulate --cost machine.json --trace azure.csv --load 0.56 --length-divisor 16
            """
    )

    @OptionGroup(title: "Model") var model: ModelArguments
    @OptionGroup(title: "Workload") var workload: WorkloadArguments

    @Option(help: ArgumentHelp("Take the machine from a file instead of measuring it.", valueName: "file"))
    var cost: String?

    @Option(help: ArgumentHelp("Write what was measured into a file.", valueName: "file"))
    var saveCost: String?

    @Option(
        help: ArgumentHelp(
            "Then run random requests on the engine for so long, and show how near the predictions were.",
            valueName: "s"
        )
    )
    var check: Double?

    @Option(help: "A request's budget: so many times what it takes alone at full size.")
    var budgetFactor = 3.0

    @Option(help: ArgumentHelp("The same for --budget-factor in milliseconds, for all.", valueName: "ms"))
    var budgetMs: Double?

    @Option(
        help: ArgumentHelp(
            "What to compare: elastic, slackfit, or a number of chains; separated by commas.",
            discussion: "[default: elastic, slackfit, the smallest and the largest size]",
            valueName: "names"
        )
    )
    var policies: String?

    @Option(help: "scheduler.eagerness, of the elastic policy.")
    var eagerness = ElasticRules().eagerness

    @Option(help: "The deviation of the logarithm of the time of steps: 0.1 is about 10 %.")
    var noise = 0.0

    @Option(help: "scheduler.max_running.")
    var maxRunning = 32

    @Option(help: "scheduler.max_queued.")
    var maxQueued = 256

    @Option(help: "scheduler.step_tokens.")
    var stepTokens = 256

    @Option(help: "Tokens of the KV cache.")
    var kvTokens = 1 << 20

    @Option(help: ArgumentHelp("Write every policy's report as JSON, one a line.", valueName: "file"))
    var json: String?

    @Option(help: ArgumentHelp("Draw the run of the first policy as SVG.", valueName: "file"))
    var plot: String?

    func validate() throws {
        for (name, value, range) in [
            ("--max-running", maxRunning, 1...4096), ("--max-queued", maxQueued, 0...1_000_000),
            ("--step-tokens", stepTokens, 1...65536), ("--kv-tokens", kvTokens, 1024...(1 << 40)),
        ] where !range.contains(value) {
            throw ValidationError("\(name) is \(value); it must be \(range.lowerBound) to \(range.upperBound).")
        }
        guard stepTokens >= maxRunning else {
            throw ValidationError("--step-tokens (\(stepTokens)) must be at least --max-running (\(maxRunning)).")
        }
        guard budgetFactor > 0 && budgetFactor < 1e6 && budgetMs.map({ $0 > 0 && $0 < 1e9 }) ?? true else {
            throw ValidationError("A budget must be above 0.")
        }
        guard 0...100 ~= eagerness else {
            throw ValidationError("--eagerness is \(eagerness); it must be 0 to 100.")
        }
        guard check == nil || cost == nil else {
            throw ValidationError("--check runs the engine that --cost takes the place of; give one of them.")
        }
        guard check.map({ $0 > 0 && $0 <= 600 }) ?? true else {
            throw ValidationError("--check must be 0 to 600 seconds.")
        }
        guard 0...2 ~= noise else { throw ValidationError("--noise is \(noise); it must be 0 to 2.") }
    }

    func run() throws {
        for path in [json, plot, saveCost] {
            if let path { try Data().write(to: URL(fileURLWithPath: path)) }
        }
        let cost = try cost.map(readCost) ?? measureCost()
        if let saveCost { try Data(CostFile.text(of: cost)).write(to: URL(fileURLWithPath: saveCost)) }
        let limits = SchedulerLimits(
            running: maxRunning,
            queued: maxQueued,
            stepTokens: stepTokens,
            poolBlocks: kvTokens / BlockLayout.defaultBlockTokens,
            blockTokens: BlockLayout.defaultBlockTokens,
            chains: cost.tiers.count
        )
        var options = Simulator.Options(limits: limits, policy: .fixed(1), cost: cost)
        options.noise = noise
        options.seed = workload.seed
        // Rates do not matter for the capacity: only lengths are used.
        let capacity = Simulator.capacity(of: try workload.makeWorkload(capacity: 1), options)
        let load = try workload.makeWorkload(capacity: capacity)
        let position = Int(load.meanPromptTokens + load.meanOutputTokens / 2)
        let unloaded = UnloadedTime(cost, limits: limits, position: position)
        let rule = LatencyRule(budget: budgetMs.map { .fixed($0 / 1000) } ?? .factor(budgetFactor, of: unloaded))
        let bound = FluidBound(load, cost: cost, limits: limits).chains(atRate: load.meanRate)
        let foresight = Foresight(load, cost: cost, limits: limits, allowed: rule.limits(of:))
        let foreseen = Double(foresight.met) / Double(load.arrivals.count)
        let alone = unloaded.seconds(
            promptTokens: Int(load.meanPromptTokens.rounded()),
            outputTokens: Int(load.meanOutputTokens.rounded())
        )
        print(
            """
            \(workload.summary): \(grouped(load.arrivals.count)) requests at \(fixed(load.meanRate, digits: 2))/s, \
            \(fixed(load.meanRate / capacity, digits: 2)) of the capacity at one chain \
            (\(fixed(capacity, digits: 2))/s), for \(fixed(load.duration, digits: 1)) s
            alone at full size \(fixed(alone * 1000, digits: 1)) ms; the fluid bound is \
            \(fixed(bound, digits: 3)) chains; with foresight \(fixed(foreseen * 100, digits: 2)) % could be met

            """
        )
        try compare(try policyList(chains: cost.tiers.count), load, options, rule)
    }

    private func compare(
        _ policies: [(name: String, policy: ChainPolicy)],
        _ load: Workload,
        _ options: Simulator.Options,
        _ rule: LatencyRule
    ) throws {
        var rows = [["policy", "met", "mean chains", "refused", "cut", "p50 ms", "p99 ms", "busy", "times real time"]]
        var lines: [UInt8] = []
        let all = PolicyRuns(policies.map(\.policy), load, options, rule)
        for (index, (entry, run)) in zip(policies, all.runs).enumerated() {
            let result = run.result
            let report = LoadReport(
                title: "\(workload.summary), \(entry.name)",
                outcomes: result.outcomes,
                duration: load.duration
            )
            func milliseconds(_ share: Double) -> String {
                fixed(report.endToEnd[share].map { $0 * 1000 } ?? 0, digits: 1)
            }
            rows.append([
                entry.name, report.attainment.map { fixed($0 * 100, digits: 2) + " %" } ?? "-",
                report.meanChains.map { fixed($0, digits: 3) } ?? "-", grouped(report.counts.rejected),
                grouped(report.counts.cut), milliseconds(0.5), milliseconds(0.99),
                fixed(result.busySeconds / report.duration * 100, digits: 0) + " %",
                fixed(report.duration / run.seconds, digits: 0),
            ])
            lines += report.json(includingRequests: false)
            if index == 0, let plot { try Data(LoadPlot(report).svg.utf8).write(to: URL(fileURLWithPath: plot)) }
        }
        for line in alignedRight(rows) { print(line) }
        if policies.count > 1 {
            let simulated = load.duration * Double(policies.count)
            print("together \(fixed(simulated / all.seconds, digits: 0)) times real time")
        }
        if let json { try Data(lines).write(to: URL(fileURLWithPath: json)) }
    }

    private func policyList(chains: Int) throws -> [(name: String, policy: ChainPolicy)] {
        let names = policies?.split(separator: ",").map(String.init) ?? ["elastic", "slackfit", "1", "\(chains)"]
        return try names.map { name in
            switch name {
            case "elastic": return (name, .elastic(ElasticRules(eagerness: eagerness)))
            case "slackfit": return (name, .slackFit)
            default:
                guard let count = Int(name), 1...chains ~= count else {
                    throw ValidationError(
                        "'\(name)' is no policy; expected elastic, slackfit or a number of chains from 1 to \(chains)."
                    )
                }
                return ("fixed \(count)", .fixed(count))
            }
        }
    }

    // MARK: The machine

    private func readCost(_ path: String) throws -> CostModel {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        do throws(CostFileError) {
            return try CostFile.read(Array(bytes))
        } catch {
            throw ValidationError("\(path): \(error)")
        }
    }

    /// Starts an engine, which measures itself, and takes what it found.
    private func measureCost() throws -> CostModel {
        let status = StatusLine("simulate")
        status.show("measuring the time of steps")
        defer { status.clear() }
        let checkpoint = try model.openCheckpoint()
        let model = try model.makeModel(checkpoint, maxRows: stepTokens)
        let layout = model.blockLayout(type: .bf16)
        let context = model.maxPositions
        let pool = BlockPool(layout: layout, blocks: layout.blocks(for: min(context, 512)) * maxRunning)
        var options = InferenceEngine.Options(
            limits: SchedulerLimits(
                running: maxRunning,
                queued: 0,
                stepTokens: stepTokens,
                poolBlocks: pool.blockCount,
                blockTokens: layout.blockTokens,
                chains: checkpoint.chainCount
            ),
            sessions: .init(count: 0, timeToLive: .zero),
            contextLength: context
        )
        options.calibrationTime = .seconds(4)
        let checker = check.map { _ in CostCheck() }
        options.observer = checker
        options.limits.queued = maxRunning
        let found = Mutex<CostModel?>(nil)
        let ready = DispatchSemaphore(value: 0)
        let engine = InferenceEngine(
            runtime: ModelRuntime(model: model, pool: pool),
            options: options,
            outbox: DispatchQueue(label: "catena.simulate")
        ) { cost in
            found.withLock { $0 = cost }
            ready.signal()
        }
        ready.wait()
        if let check, let checker {
            status.show("checking predictions for \(fixed(check, digits: 0)) s")
            checker.run(
                engine,
                seconds: check,
                chains: checkpoint.chainCount,
                vocabulary: checkpoint.configuration.vocabularySize,
                context: min(context, 512),
                crowd: maxRunning
            )
            status.clear()
            for line in checker.lines { print(line) }
            print("")
        }
        engine.drain()
        guard let cost = found.withLock({ $0 }) else { preconditionFailure("the engine is ready and has a cost model") }
        return cost
    }
}
