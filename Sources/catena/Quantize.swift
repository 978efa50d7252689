import ArgumentParser
import Model
import ModelIO

extension PackedFormat: ExpressibleByArgument {}

/// `catena quantize MODEL --to int8`: a copy with packed weights.
struct Quantize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a copy of a model with smaller weights, which the server uses as they are.",
        discussion: """
            Decoding reads every weight of the chains in use for every token, so fewer bytes are faster. The copy is a \
            model folder like the original: the same files, chain by chain, with \
            the matrices as the kernels read them, the tokenizer, and the formats in config.json. `catena serve`, \
            `generate`, `eval` and `inspect` take it as they take the original.

            FORMATS
              int8  8.5 bits a weight: 8 and a scale for every 32. Hardly to be told from the original.
              int4  4.5 bits a weight in the layers, 8.5 in the embedding and the head. A little worse: measure it \
            with `catena eval`.
              bf16  16 bits: nothing is lost from a bf16 original, nothing is saved; the server starts at once, \
            without packing.

            The integer formats need chains whose hidden and feed-forward widths are multiples of 32. A model that is \
            quantised already is refused: quantise the original.

            EXAMPLES
              catena quantize Models/catena-fable-16m --to int8
              catena serve --model Models/catena-fable-16m-int8

            The output folder appears when it is complete. An interrupted run leaves a folder NAME.partial-XXXXXX, \
            which can be removed.
            """
    )

    @Argument(help: "The folder of the original model.")
    var model: String

    @Option(help: "The format: int8, int4 or bf16.")
    var to: PackedFormat

    @Option(
        help: ArgumentHelp(
            "The folder to write, new or empty.",
            discussion: "MODEL with -int8, -int4 or -bf16 at its end if not given.",
            valueName: "folder"
        )
    )
    var output: String?

    @Option(help: ArgumentHelp("Threads that pack.", discussion: "One per processor if not given."))
    var threads: Int?

    func validate() throws {
        if let threads, !(1...1024 ~= threads) {
            throw ValidationError("--threads is \(threads); it must be 1 to 1024.")
        }
    }

    func run() throws {
        let checkpoint = try Checkpoint(folder: model)
        let output = output ?? Self.defaultOutput(model, to)
        let quantizer = try CheckpointQuantizer(checkpoint, to: to, output: output, workers: threads)
        let before = checkpoint.byteCount, after = quantizer.byteCount
        // In megabytes, so that the rate is one that a person can read.
        var bar = ProgressBar("quantize", total: after / 1_000_000, unit: "MB")
        try quantizer.run { bar.update($0 / 1_000_000) }
        bar.finish()
        let parameters = checkpoint.configuration.parameterCount(chains: checkpoint.chainCount)
        for (label, folder, bytes) in [("from", model, before), ("to", output, after)] {
            print(
                "\(label)  \(folder): \(grouped(bytes)) bytes, \(fixed(bitsPerWeight(bytes, parameters), digits: 2)) bits a weight"
            )
        }
    }

    private static func defaultOutput(_ model: String, _ format: PackedFormat) -> String {
        var model = model
        while model.count > 1 && model.hasSuffix("/") { model.removeLast() }
        return "\(model)-\(format.rawValue)"
    }
}

/// What a weight takes, scales and padding included.
func bitsPerWeight(_ bytes: Int, _ parameters: Int) -> Double { Double(bytes) * 8 / Double(parameters) }
