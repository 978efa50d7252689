import ArgumentParser
import Benchmarking
import ModelIO
import Tensor

/// `catena random FOLDER`: a model of any shape, untrained.
struct Random: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a model with random weights, of any shape.",
        discussion: """
            A complete model folder that loads and serves, to try shapes and sizes with; what it says is noise. The same \
            shape and seed give the same files. Its tokenizer knows every byte, and fills the vocabulary with made-up \
            words of lower-case letters.

              catena random /tmp/l --shape L
              catena random /tmp/m --shape M,chains=2:2:4:8,kv=2 --dtype f32 --seed 7
            """
    )

    @Argument(help: "The folder to make; it must not exist.")
    var folder: String

    @Option(help: "S, M, L or sizes: D=1024,layers=16,kv=4,chains=4:4:4:4,F=2816,V=16384")
    var shape: String

    @Option(help: "The weights: bf16 or f32.")
    var dtype = WeightFormat.bf16

    @Option(help: "Another seed gives other weights.")
    var seed: UInt64 = 1

    func validate() throws {
        guard dtype == .bf16 || dtype == .f32 else {
            throw ValidationError("--dtype is \(dtype.rawValue); random weights can be bf16 or f32.")
        }
    }

    func run() throws {
        let configuration = try ModelConfiguration(shape: shape)
        let model = try RandomModel(configuration, dtype: dtype == .f32 ? .f32 : .bf16, seed: seed)
        // In megabytes, so that the rate is one that a person can read.
        var bar = ProgressBar("random", total: model.byteCount / 1_000_000, unit: "MB")
        try model.write(to: folder) { bar.update($0 / 1_000_000) }
        bar.finish()
        let parameters = configuration.parameterCount(chains: configuration.chainCount)
        print("\(folder): \(grouped(parameters)) parameters, \(grouped(model.byteCount)) bytes of weights")
    }
}
