import ArgumentParser
import ModelIO

/// `catena inspect MODEL`: what a checkpoint holds, chain by chain.
struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show a model's shapes, bytes and parameters per chain.",
        discussion: """
            Opens the model folder as the server does, with every check on its files, and prints what it holds. Row k \
            of the table describes the model made of the first k chains. KV bytes are the same for every k, because \
            chain 1 alone writes the KV cache.
            """
    )

    @Argument(help: "The model's folder: config.json, tokenizer.json and one safetensors file per chain.")
    var model: String

    func run() throws {
        let checkpoint = try Checkpoint(folder: model)
        print(ModelReport(checkpoint).text, terminator: "")
    }
}

/// The lines that `inspect` prints.
struct ModelReport {
    let text: String

    init(_ checkpoint: Checkpoint) {
        let model = checkpoint.configuration
        var lines = [
            "model        \(checkpoint.folder)",
            "fingerprint  \(checkpoint.fingerprint)",
            "chains       \(model.chainCount), of \(list(model.chains)) query heads",
            "layers       \(model.layerCount)",
            "hidden       \(model.hiddenSize), in chains of \(list(model.chainWidths))",
            "feed-forward \(model.intermediateSize), in chains of \(list(model.chainIntermediateSizes))",
            "heads        \(model.headCount) query, \(model.keyValueHeadCount) KV, \(model.headSize) wide",
            "vocabulary   \(model.vocabularySize)\(model.tiesEmbeddings ? ", head tied to the embedding" : "")",
            "weights      \(Self.weights(checkpoint))",
            "context      \(model.contextLength) tokens",
            "KV           \(model.layerCount * 2 * model.keyValueWidth) values a token, written by chain 1 alone",
            "",
        ]
        var table = [["chains", "parameters", "bytes", "bits a weight", "of full size", "loss", "perplexity"]]
        let fullBytes = (1...model.chainCount).reduce(0) { $0 + checkpoint.byteCount(ofChain: $1) }
        var bytes = 0
        for chains in 1...model.chainCount {
            bytes += checkpoint.byteCount(ofChain: chains)
            let quality = model.quality.first { $0.chains == chains }
            table.append([
                "\(chains)",
                grouped(model.parameterCount(chains: chains)),
                grouped(bytes),
                fixed(bitsPerWeight(bytes, model.parameterCount(chains: chains)), digits: 2),
                "\((bytes * 100 + fullBytes / 2) / fullBytes) %",
                quality.map { fixed($0.loss, digits: 4) } ?? "-",
                quality.map { fixed($0.perplexity, digits: 2) } ?? "-",
            ])
        }
        lines += alignedRight(table)
        if model.quantization != nil && !model.quality.isEmpty {
            lines.append("Loss and perplexity are those of the original; `catena eval` measures this copy.")
        }
        lines += [""]
        for (index, file) in checkpoint.files.enumerated() {
            lines.append("\(file.path), \(grouped(file.byteCount)) bytes")
            let names = TensorName.all(ofChain: index + TensorName.firstChain, in: model)
            lines += alignedLeft(
                Self.layerPattern(names).compactMap { name, pattern in
                    file[name].map { ["  " + pattern, $0.dtype.safetensorsName, "\($0.shape)"] }
                }
            )
        }
        text = lines.joined(separator: "\n") + "\n"
    }

    /// What the matrices are written in.
    private static func weights(_ checkpoint: Checkpoint) -> String {
        guard let quantization = checkpoint.configuration.quantization else {
            let types = Set(checkpoint.files.flatMap { $0.tensors.map(\.dtype.safetensorsName) })
            return types.sorted().joined(separator: ", ") + ", packed when loaded"
        }
        let (body, head) = (quantization.format.rawValue, quantization.headFormat.rawValue)
        return "\(body)\(head == body ? "" : ", embedding and head \(head)"), packed"
    }

    /// The names that stand for all: layers are alike, so layer 0 speaks for `*`.
    private static func layerPattern(_ names: [TensorName]) -> [(name: String, pattern: String)] {
        names.map(\.description).compactMap { name in
            guard name.hasPrefix("model.layers.") else { return (name, name) }
            guard name.hasPrefix("model.layers.0.") else { return nil }
            return (name, "model.layers.*." + name.dropFirst("model.layers.0.".count))
        }
    }
}

private func list(_ numbers: [Int]) -> String {
    numbers.map(String.init).joined(separator: " + ")
}
