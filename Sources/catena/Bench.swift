import ArgumentParser
import Benchmarking
import Foundation
import Glibc
import Model
import ModelIO
import Tensor

/// `catena bench`: what a model does on this machine, and how near to the machine's limits that is.
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure a model's speed, and how near to this machine's limits it is.",
        discussion: """
            Prefill, time to first token, decode by chain count and rows, the engine's own time, memory: no server, \
            medians of several runs. Read bandwidth and dot-product peaks of this machine are measured in the same run, \
            and every figure is shown as a share of them and of what the closed forms of the architecture allow. \
            docs/benchmarks.md explains every column. Machines are noisy: compare shares, and figures of one run.

              catena bench --quick
              catena bench --shape M --dense --json m.json --plot m.svg
              catena bench --shape D=1024,layers=16,kv=4,chains=4:4:4:4,F=2816,V=16384 --dtype f32
            """
    )

    @Option(name: .shortAndLong, help: "The model's folder; the bundled model if neither it nor --shape is given.")
    var model: String?

    @Option(
        help: ArgumentHelp(
            "A model with random weights instead: S, M, L or sizes.",
            discussion: "S,kv=2 changes a named shape. Keys: D, layers, heads, kv, chains, F, V, context, tied."
        )
    )
    var shape: String?

    @Option(help: "The random weights: f32, bf16, int8 or int4. [default: bf16]")
    var dtype: WeightFormat?

    @Option(help: ArgumentHelp("Threads that compute.", discussion: "One per processor if not given."))
    var threads: Int?

    @Option(help: "Weights of a quantised model: copy or map.")
    var weights = WeightPlacement.copy

    @Option(help: "Tokens before the decoded one.")
    var context = 128

    @Option(help: "Tokens of the prompt for time to first token, --dense and --contended.")
    var prompt = 512

    @Option(help: "Tokens of a prompt that are computed in one pass.")
    var stepTokens = 256

    @Flag(help: "Fewer figures and shorter runs.")
    var quick = false

    @Flag(help: "Also prefill a dense model of the same width, with random weights.")
    var dense = false

    @Flag(help: "Also measure with another process that keeps one processor busy.")
    var contended = false

    @Option(
        help: ArgumentHelp("Write everything as JSON, - for standard output without the tables.", valueName: "file")
    )
    var json: String?

    @Option(help: ArgumentHelp("Draw decode speed over rows as SVG.", valueName: "file"))
    var plot: String?

    func validate() throws {
        if model != nil && shape != nil { throw ValidationError("Give --model or --shape, not both.") }
        if dtype != nil && shape == nil { throw ValidationError("--dtype is for the random weights of --shape.") }
        if let threads, !(1...1024 ~= threads) {
            throw ValidationError("--threads is \(threads); it must be 1 to 1024.")
        }
        for (name, value) in [("--context", context), ("--prompt", prompt), ("--step-tokens", stepTokens)]
        where !(1...1_000_000 ~= value) {
            throw ValidationError("\(name) is \(value); it must be 1 to 1000000.")
        }
        if let shape { _ = try ModelConfiguration(shape: shape) }
    }

    func run() throws {
        let status = StatusLine("bench")
        let checkpoint = try openCheckpoint(status)
        let plan = try plan(contextLength: checkpoint.configuration.contextLength)
        var run = BenchRun(checkpoint, name: shape ?? checkpoint.folder, plan: plan) { status.show($0) }
        let report = try run.measure(
            dense: dense
                ? { try RandomCheckpoint.open(checkpoint.configuration.dense(), format: $0, status) } : nil
        )
        status.clear()
        if let plot { try Data(SpeedPlot(report).svg.utf8).write(to: URL(fileURLWithPath: plot)) }
        if json == "-" {
            FileHandle.standardOutput.write(Data(report.json))
        } else {
            print(BenchTables(report).text)
            if let json { try Data(report.json).write(to: URL(fileURLWithPath: json)) }
        }
    }

    /// The plan that the flags ask for, cut to the model's context.
    private func plan(contextLength: Int) throws -> BenchPlan {
        guard max(prompt, context + 1) <= contextLength else {
            throw ValidationError(
                "--prompt \(prompt) and --context \(context) + 1 must fit this model's context of \(contextLength) tokens."
            )
        }
        var plan = BenchPlan()
        plan.context = context
        plan.prompt = prompt
        plan.stepTokens = stepTokens
        plan.threads = threads
        plan.isContended = contended
        plan.weights = weights
        if quick { plan.shorten() }
        plan.prompts.removeAll { $0 > contextLength }
        return plan
    }

    private func openCheckpoint(_ status: StatusLine) throws -> Checkpoint {
        guard let shape else { return try Checkpoint(folder: model ?? ModelArguments.bundledModel) }
        return try RandomCheckpoint.open(ModelConfiguration(shape: shape), format: dtype ?? .bf16, status)
    }
}

extension WeightFormat: ExpressibleByArgument {}

/// One line on the terminal that says what is being done; nothing where standard error is no terminal.
struct StatusLine {
    private let label: String
    private let isTerminal = isatty(STDERR_FILENO) == 1

    init(_ label: String) { self.label = label }

    func show(_ text: String) { write("\r\u{1B}[K\(label): \(text)") }

    func clear() { write("\r\u{1B}[K") }

    private func write(_ text: String) {
        guard isTerminal else { return }
        FileHandle.standardError.write(Data(text.utf8))
    }
}
