import ArgumentParser
import KVCache
import Model
import ModelIO
import Tensor
import Tokenizer

/// The flags of every command that runs a model itself.
struct ModelArguments: ParsableArguments {
    static let bundledModel = "Models/catena-fable-16m"

    @Option(name: .shortAndLong, help: "The model's folder.")
    var model = bundledModel

    @Option(help: ArgumentHelp("Threads that compute.", discussion: "One per processor if not given."))
    var threads: Int?

    @Option(help: "Weights of a quantised model: copy, faster to read, or map, faster to start.")
    var weights = WeightPlacement.copy

    func validate() throws {
        if let threads, !(1...1024 ~= threads) {
            throw ValidationError("--threads is \(threads); it must be 1 to 1024.")
        }
    }

    func openCheckpoint() throws -> Checkpoint {
        try Checkpoint(folder: model)
    }

    func openTokenizer() throws -> BPETokenizer {
        try BPETokenizer(path: model + "/tokenizer.json")
    }

    func makeModel(_ checkpoint: Checkpoint, maxRows: Int) throws -> ChainModel {
        var options = ChainModel.Options()
        options.maxRows = maxRows
        options.workers = threads
        options.weights = weights
        return try ChainModel(checkpoint, options: options)
    }
}

extension WeightPlacement: ExpressibleByArgument {}

extension ChainModel {
    /// A KV pool for one sequence of `tokens` tokens.
    func makeCache(tokens: Int, type: ElementType) -> BlockPool {
        let layout = blockLayout(type: type)
        return BlockPool(layout: layout, blocks: layout.blocks(for: tokens))
    }
}
