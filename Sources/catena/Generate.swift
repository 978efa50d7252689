import ArgumentParser
import Core
import Dispatch
import Engine
import Foundation
import KVCache
import Model
import Scheduling
import Synchronization
import Tokenizer

/// `catena generate PROMPT`: one answer on the terminal.
struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Generate one answer, streamed to the terminal.",
        discussion: """
            Runs the same engine as the server, for one request. The text goes to standard output; tokens per second \
            and time to first token go to standard error when it is done.

              catena generate "Once upon a time" --chains 2
              echo "It was a dark night" | catena generate - --temperature 0
            """
    )

    @OptionGroup var arguments: ModelArguments

    @Argument(help: "The text to continue, or - for standard input.")
    var prompt: String

    @Option(help: "How many chains to run, all if not given.")
    var chains: Int?

    @Option(name: [.long, .customShort("n")], help: "The most tokens to generate.")
    var maxTokens = 128

    @Option(help: "0 is greedy; higher is more surprising.")
    var temperature: Float = 0.8

    @Option(help: "Draw from the smallest set of tokens with this much probability.")
    var topP: Float = 0.95

    @Option(help: "Draw from this many likeliest tokens; 0 is all.")
    var topK = 0

    @Option(help: "The same seed gives the same answer. Random if not given.")
    var seed: UInt64?

    func validate() throws {
        if maxTokens < 1 { throw ValidationError("--max-tokens is \(maxTokens); it must be at least 1.") }
        if !(0...2 ~= temperature) { throw ValidationError("--temperature is \(temperature); it must be 0 to 2.") }
        if !(0...1 ~= topP) { throw ValidationError("--top-p is \(topP); it must be 0 to 1.") }
        if topK < 0 { throw ValidationError("--top-k is \(topK); it must be at least 0.") }
    }

    func run() throws {
        let checkpoint = try arguments.openCheckpoint()
        let tokenizer = try arguments.openTokenizer()
        let settings = checkpoint.configuration
        if let chains, !(1...settings.chainCount ~= chains) {
            throw ValidationError("--chains is \(chains); this model has 1 to \(settings.chainCount) chains.")
        }
        let text = prompt == "-" ? try readStandardInput() : prompt
        let tokens = try tokenizer.encode(text)
        guard !tokens.isEmpty else { throw ValidationError("The prompt is empty: give some text to continue.") }
        guard tokens.count + maxTokens <= settings.contextLength else {
            throw ValidationError(
                "\(tokens.count) prompt tokens and \(maxTokens) to generate do not fit this model's context of "
                    + "\(settings.contextLength) tokens."
            )
        }
        let model = try arguments.makeModel(checkpoint, maxRows: 256)
        // As the server stores them by default.
        let layout = model.blockLayout(type: .bf16)
        let blocks = layout.blocks(for: tokens.count + maxTokens)
        let rows = model.maxRows
        let loaded = model.chainCount
        var options = InferenceEngine.Options(
            limits: SchedulerLimits(
                running: 1,
                queued: 0,
                stepTokens: rows,
                poolBlocks: blocks,
                blockTokens: layout.blockTokens,
                chains: loaded
            ),
            sessions: .init(count: 0, timeToLive: .zero),
            contextLength: tokens.count + maxTokens
        )
        // One request without a budget: what steps cost decides nothing.
        options.calibrationTime = .zero
        let engine = InferenceEngine(
            runtime: ModelRuntime(model: model, pool: BlockPool(layout: layout, blocks: blocks)),
            options: options,
            outbox: DispatchQueue(label: "catena.generate")
        )
        let printer = AnswerPrinter(tokenizer: tokenizer)
        // Not print(): its buffer would come out behind the tokens.
        FileHandle.standardOutput.write(Data(text.utf8))
        engine.submit(
            GenerationRequest(
                id: .next(),
                prompt: tokens,
                maxTokens: maxTokens,
                chains: chains.map { .fixed($0) } ?? .auto,
                sampling: SamplingParameters(
                    temperature: temperature,
                    topK: topK,
                    topP: topP,
                    seed: seed ?? .random(in: 0...UInt64.max)
                ),
                endTokens: Set(settings.eosTokenIDs)
            ),
            to: printer
        )
        let summary = try printer.waitForEnd()
        printError(summary)
    }

    private func readStandardInput() throws -> String {
        guard let text = String(data: FileHandle.standardInput.readDataToEndOfFile(), encoding: .utf8) else {
            throw ValidationError("Standard input is not UTF-8 text.")
        }
        return text
    }
}

/// Prints tokens as they come and keeps the times.
private final class AnswerPrinter: GenerationReceiver {
    private struct State {
        var detokenizer: StreamingDetokenizer
        var chains = 0
        var count = 0
        var firstToken: ContinuousClock.Instant?
        var lastToken: ContinuousClock.Instant?
        var failure: GenerationFailure?
    }

    private let start = ContinuousClock.now
    private let state: Mutex<State>
    private let ended = DispatchSemaphore(value: 0)

    init(tokenizer: BPETokenizer) {
        state = Mutex(State(detokenizer: StreamingDetokenizer(tokenizer)))
    }

    func receive(_ events: [GenerationEvent]) {
        for event in events {
            switch event {
            case .admitted, .promptLogprobs: break
            case .token(let token): show(token)
            case .finished: end(nil)
            case .failed(let failure): end(failure)
            }
        }
    }

    private func show(_ token: GeneratedToken) {
        let text = state.withLock { state in
            let now = ContinuousClock.now
            state.firstToken = state.firstToken ?? now
            state.lastToken = now
            state.count += 1
            state.chains = token.chains
            return (try? state.detokenizer.append(token.id)) ?? ""
        }
        FileHandle.standardOutput.write(Data(text.utf8))
    }

    private func end(_ failure: GenerationFailure?) {
        let rest = state.withLock { state in
            state.failure = failure
            return state.detokenizer.finish()
        }
        FileHandle.standardOutput.write(Data((rest + "\n").utf8))
        ended.signal()
    }

    /// Waits for the answer and describes it.
    func waitForEnd() throws -> String {
        ended.wait()
        return try state.withLock { state in
            if let failure = state.failure { throw failure }
            guard let first = state.firstToken, let last = state.lastToken else { return "no token" }
            let wait = (first - start) / .milliseconds(1)
            let rate = Double(state.count - 1) / ((last - first) / .seconds(1))
            let speed = state.count > 1 ? ", \(fixed(rate, digits: 1)) tokens/s" : ""
            let size = "\(state.chains) chain\(state.chains == 1 ? "" : "s")"
            return "[\(state.count) tokens at \(size)\(speed), first after \(fixed(wait, digits: 1)) ms]"
        }
    }
}
