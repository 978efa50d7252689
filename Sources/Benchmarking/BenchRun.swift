// The benchmark: every figure of the report, each with the limits measured beside it.

import CLimits
import Glibc
import Model
import ModelIO
import Tensor

/// What to measure, and how long.
public struct BenchPlan: Sendable {
    /// Tokens of the prompts whose prefill is timed.
    public var prompts = [128, 512, 2048]
    /// Tokens of the prompt for time to first token, the dense model and contention.
    public var prompt = 512
    /// Rows of the decode steps.
    public var rows = [1, 2, 4, 8, 16, 32]
    /// Tokens before the decoded one.
    public var context = 128
    /// Tokens of a prompt that are computed in one pass.
    public var stepTokens = 256
    /// Threads that compute; nil is one per processor.
    public var threads: Int?
    /// Seconds to spend on a figure, but for the limits beside it.
    public var secondsPerFigure = 0.4
    /// Tokens to decode with the engine, for every chain count.
    public var engineTokens = 128
    /// Bytes that are read to measure bandwidth; nil is what ``MachineLimits`` takes by itself.
    public var bufferBytes: Int?
    /// Where the weights of a packed checkpoint are read from.
    public var weights = WeightPlacement.copy
    /// Whether to measure with another busy process too.
    public var isContended = false

    public init() {}

    /// Fewer figures and less time for each: to see that all is well, not to publish.
    public mutating func shorten() {
        prompts = [128, 512]
        rows = [1, 8]
        secondsPerFigure = 0.15
        engineTokens = 48
    }
}

/// One run of a plan on one model.
public struct BenchRun {
    private let plan: BenchPlan
    private let checkpoint: Checkpoint
    private let progress: (String) -> Void
    private var costs: ChainCosts
    private var report = BenchReport()

    /// - Parameters:
    ///   - name: of the model, for the report.
    ///   - progress: told what is measured next.
    public init(_ checkpoint: Checkpoint, name: String, plan: BenchPlan, progress: @escaping (String) -> Void) {
        self.plan = plan
        self.checkpoint = checkpoint
        self.progress = progress
        // Until the model is there and says how its weights are written.
        costs = ChainCosts(checkpoint.configuration, bytesPerWeight: 2)
        report.subject.name = name
        report.subject.threads = plan.threads ?? availableProcessors()
        report.subject.chains = checkpoint.configuration.chains
    }

    /// Bytes that a decode step reads of each chain's matrices: all but those of the embedding, of which it reads a row.
    static func tierBytes(of configuration: ModelConfiguration, body: WeightFormat, head: WeightFormat) -> [Int] {
        (1...configuration.chainCount).map { chain in
            TensorName.all(ofChain: chain, in: configuration).reduce(0) { sum, name in
                guard name.isMatrix && (configuration.tiesEmbeddings || !name.isEmbedding) else { return sum }
                let shape = name.shape(in: configuration)
                let format = name.isHead || name.isEmbedding ? head : body
                return sum + format.byteCount(outputs: shape[0], inputs: shape[1])
            }
        }
    }

    /// Measures everything.
    /// - Parameter dense: opens a dense model of the same width, with its matrices in a format, to hold prefill against; last of
    ///   all, so that its pages are not in what serving takes.
    public mutating func measure(dense: ((WeightFormat) throws -> Checkpoint)?) throws -> BenchReport {
        let start = ContinuousClock.now
        let times = ProcessorTimes.now()
        // First, while this process has nothing in memory but the model.
        progress("engine, one row")
        (report.overhead, report.memory) = try EngineRun.measure(
            checkpoint,
            options: options,
            tokens: plan.engineTokens
        )
        progress("limits of this machine")
        let machine = MachineLimits(bytes: plan.bufferBytes, workers: plan.threads)
        report.measureLimits(machine)
        progress("sequences of \(plan.context) tokens")
        let model = try TimedModel(
            checkpoint,
            options: options,
            context: plan.context,
            rows: max(plan.rows.max() ?? 1, Self.mixedRows),
            prompt: max(plan.prompts.max() ?? 1, plan.prompt)
        )
        report.subject.loadSeconds = model.loadSeconds
        let peak = describe(model.model)
        measurePrefill(model, machine, peak: peak)
        measureDecode(model, machine, peak: peak)
        if plan.isContended { try measureContended(model) }
        if let dense { try measureDense(model, dense(model.model.bodyFormat)) }
        if let times, let now = ProcessorTimes.now() {
            report.disturbance = now.disturbance(since: times, seconds: (.now - start) / .seconds(1))
        }
        return report
    }

    /// Takes what the report says of the model, and returns the peak of its arithmetic.
    private mutating func describe(_ model: ChainModel) -> Double {
        costs = ChainCosts(
            model.configuration,
            tierBytes: Self.tierBytes(of: model.configuration, body: model.bodyFormat, head: model.headFormat)
        )
        let formats = [model.bodyFormat, model.headFormat].map(\.rawValue)
        report.subject.dtype = formats[0] == formats[1] ? formats[0] : "\(formats[0]) with a head of \(formats[1])"
        report.subject.kernels = model.kernels.name
        report.subject.decodeBytes = (1...checkpoint.chainCount).map(costs.decodeBytes)
        report.subject.parameters = (1...checkpoint.chainCount).map(costs.parameters)
        return report.peak(of: model.bodyFormat.arithmetic)
    }

    private var options: ChainModel.Options {
        var options = ChainModel.Options()
        options.maxRows = plan.stepTokens
        options.workers = plan.threads
        options.weights = plan.weights
        return options
    }

    // MARK: The figures

    private mutating func measurePrefill(_ model: TimedModel, _ machine: MachineLimits, peak: Double) {
        for tokens in plan.prompts {
            progress("prefill of \(tokens) tokens")
            let time = median { model.prefill(tokens: tokens, chains: nil) }
            report.prefill.append(
                .init(
                    tokens: tokens,
                    seconds: time,
                    shareOfPeak: costs.neededPrefillOperations(tokens: tokens) / time / peak,
                    shareOfClosedForm: costs.prefillOperations(tokens: tokens) / peak / time
                )
            )
        }
        var before = machine.readBandwidth(repeats: 3)
        for chains in 1...checkpoint.chainCount {
            progress("first token at k = \(chains)")
            let time = median { model.prefill(tokens: plan.prompt, chains: chains) }
            let after = machine.readBandwidth(repeats: 3)
            let limits = ChainCosts.Limits(bandwidth: max(before, after), operations: peak)
            let expected = costs.firstTokenTime(tokens: plan.prompt, chains: chains, limits: limits)
            report.firstToken.append(
                .init(chains: chains, tokens: plan.prompt, seconds: time, shareOfClosedForm: expected / time)
            )
            before = after
        }
    }

    private mutating func measureDecode(_ model: TimedModel, _ machine: MachineLimits, peak: Double) {
        // One measurement of the bandwidth between any two figures serves both.
        var before = machine.readBandwidth(repeats: 3)
        for chains in 1...checkpoint.chainCount {
            for rows in plan.rows {
                progress("decode at k = \(chains), rows: \(rows)")
                let batch = Array(repeating: chains, count: rows)
                let time = median { model.decode(rows: batch) }
                let after = machine.readBandwidth(repeats: 3)
                let limits = ChainCosts.Limits(bandwidth: max(before, after), operations: peak)
                report.decode.append(
                    .init(
                        chains: chains,
                        rows: rows,
                        seconds: time,
                        weightBytes: costs.decodeBytes(chains: chains),
                        bandwidthBefore: before,
                        bandwidthAfter: after,
                        shareOfClosedForm: costs.stepTime(rows: batch, context: plan.context, limits: limits) / time
                    )
                )
                before = after
            }
        }
        progress("decode with mixed chain counts")
        let mixed = Self.mixedBatch(chains: checkpoint.chainCount)
        let time = median { model.decode(rows: mixed) }
        let limits = ChainCosts.Limits(bandwidth: max(before, machine.readBandwidth(repeats: 3)), operations: peak)
        report.mixed = .init(
            rows: mixed,
            seconds: time,
            closedFormSeconds: costs.stepTime(rows: mixed, context: plan.context, limits: limits)
        )
    }

    private static let mixedRows = 8

    /// One row of every chain count from the largest down, and single chains up to eight rows: 4, 3, 2, 1, 1, 1, 1, 1.
    static func mixedBatch(chains: Int) -> [Int] {
        (0..<mixedRows).map { max(chains - $0, 1) }
    }

    /// One row at every chain count and one prompt: quiet, contended, and quiet again.
    private mutating func measureContended(_ model: TimedModel) throws {
        let prompt = plan.prompt
        var figures: [(name: String, tokens: Int, time: () -> Double)] = (1...checkpoint.chainCount).map { chains in
            ("decode, k = \(chains), 1 row", 1, { model.decode(rows: [chains]) })
        }
        figures.append(("prefill, \(prompt) tokens", prompt, { model.prefill(tokens: prompt, chains: nil) }))
        for figure in figures {
            progress("contended: \(figure.name)")
            let before = mean(of: figure.time)
            let spinner = cl_start_spinner()
            guard spinner > 0 else { throw SpinnerError(problem: String(cString: strerror(errno))) }
            let contended = mean(of: figure.time)
            cl_stop_spinner(spinner)
            let after = mean(of: figure.time)
            report.contended.append(
                .init(
                    name: figure.name,
                    quietTokensPerSecond: Double(figure.tokens) * 2 / (before + after),
                    contendedTokensPerSecond: Double(figure.tokens) / contended
                )
            )
        }
    }

    /// Prefill of both in turn, so that both see the same machine.
    private mutating func measureDense(_ model: TimedModel, _ dense: Checkpoint) throws {
        progress("dense model of the same width")
        let other = try TimedModel(dense, options: options, context: 1, rows: 1, prompt: plan.prompt)
        var times: [Double] = []
        var denseTimes: [Double] = []
        for turn in 0...3 {
            let pair = (
                model.prefill(tokens: plan.prompt, chains: nil), other.prefill(tokens: plan.prompt, chains: nil)
            )
            if turn == 0 { continue }  // pages come in, clocks come up
            times.append(pair.0)
            denseTimes.append(pair.1)
        }
        report.dense = .init(
            tokens: plan.prompt,
            seconds: times.median(),
            denseSeconds: denseTimes.median(),
            expectedSpeedUp: costs.prefillSpeedUp(
                over: ChainCosts(dense.configuration, bytesPerWeight: 1),
                tokens: plan.prompt
            )
        )
    }

    // MARK: Repeats

    /// The median of as many runs as the plan has time for, at least five, after one that does not count.
    private func median(_ time: () -> Double) -> Double { repeated(time).median() }

    /// The mean: a neighbour takes the processor for milliseconds at a time, which a median would leave out.
    private func mean(of time: () -> Double) -> Double {
        let times = repeated(time)
        return times.reduce(0, +) / Double(times.count)
    }

    private func repeated(_ time: () -> Double) -> [Double] {
        var times: [Double] = []
        var spent = 0.0
        _ = time()
        while times.count < 5 || (spent < plan.secondsPerFigure && times.count < 10_000) {
            times.append(time())
            spent += times[times.count - 1]
        }
        return times
    }
}

/// The busy process could not be started.
struct SpinnerError: Error, CustomStringConvertible {
    let problem: String

    var description: String { "cannot start a busy process to contend with: \(problem)" }
}
