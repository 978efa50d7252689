import ArgumentParser
import Core
import KVCache
import Model

/// `catena bench`: tokens per second of a model on this machine, per chain count.
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Time prefill, first token and decode of a model, per chain count.",
        discussion: """
            One sequence at a time, no server: what the engine can do on this machine, medians of --repeat runs after \
            one that does not count. Machines are noisy: compare figures of one run with each other.
            """
    )

    @OptionGroup var arguments: ModelArguments

    @Option(help: "Tokens of the prompt.")
    var prompt = 256

    @Option(help: "Tokens to decode after it.")
    var tokens = 64

    @Option(name: .customLong("repeat"), help: "Runs that count.")
    var runs = 5

    func validate() throws {
        for (name, value) in [("--prompt", prompt), ("--tokens", tokens), ("--repeat", runs)] where value < 1 {
            throw ValidationError("\(name) is \(value); it must be at least 1.")
        }
    }

    func run() throws {
        let checkpoint = try arguments.openCheckpoint()
        guard prompt + tokens <= checkpoint.configuration.contextLength else {
            throw ValidationError(
                "\(prompt) + \(tokens) tokens; this model's context is \(checkpoint.configuration.contextLength)."
            )
        }
        let model = try arguments.makeModel(checkpoint, maxRows: prompt)
        let cache = model.makeCache(tokens: prompt + tokens, type: .bf16)
        var rows = [["chains", "first token ms", "prefill tokens/s", "decode ms/token", "decode tokens/s"]]
        for chains in 1...model.chainCount {
            let timings = (0...runs).map { _ in time(model, cache, chains: chains) }.dropFirst()
            let first = median(timings.map(\.firstToken))
            let each = median(timings.map(\.eachToken))
            rows.append([
                "\(chains)", fixed(first * 1e3, digits: 2), fixed(Double(prompt) / first, digits: 0),
                fixed(each * 1e3, digits: 3), fixed(1 / each, digits: 0),
            ])
        }
        print("\(arguments.model), \(prompt) prompt tokens, \(tokens) decoded, kernels \(model.kernels.name)")
        print(alignedRight(rows).joined(separator: "\n"))
    }

    /// Seconds until the first token's logits, and per further token.
    private func time(_ model: ChainModel, _ cache: BlockPool, chains: Int) -> (firstToken: Double, eachToken: Double) {
        var table = BlockTable()
        defer { cache.release(&table) }
        let vocabulary = model.configuration.vocabularySize
        func run(_ tokens: [TokenID]) -> Double {
            let start = ContinuousClock.now
            let position = table.tokenCount
            guard cache.append(tokens.count, to: &table) else { preconditionFailure("the cache holds the sequence") }
            let segment = Segment(
                tokens: tokens,
                start: position,
                blocks: table.blocks,
                chains: chains,
                logits: .last
            )
            _ = model.forward(Batch(segments: [segment]), cache: cache)
            return (ContinuousClock.now - start) / .seconds(1)
        }
        let first = run((0..<prompt).map { TokenID(($0 * 31 + 7) % vocabulary) })
        let rest = (0..<tokens).map { run([TokenID(($0 * 17 + 3) % vocabulary)]) }
        return (first, median(rest))
    }

    private func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
}
