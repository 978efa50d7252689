// Model folders with random weights: any shape, complete enough to serve, without training anything.

import Foundation
import JSON
import ModelIO

/// A model that is nothing but its shape: weights from a seed, a tokenizer with filler tokens, the files of a checkpoint.
public struct RandomModel: Sendable {
    public let configuration: ModelConfiguration
    /// f32 or bf16.
    public let dtype: DType
    public let seed: UInt64

    /// - Throws: `.unsupported` if the vocabulary is too small for a byte-level tokenizer, or the type is another.
    public init(_ configuration: ModelConfiguration, dtype: DType, seed: UInt64) throws(ModelFileError) {
        guard configuration.vocabularySize >= FillerTokenizer.smallestVocabulary else {
            throw ModelFileError(
                .unsupported,
                file: "shape",
                item: "V",
                problem: "is \(configuration.vocabularySize)",
                expectation: "at least \(FillerTokenizer.smallestVocabulary): every byte and an end token"
            )
        }
        guard dtype == .f32 || dtype == .bf16 else {
            throw ModelFileError(
                .unsupported,
                file: "dtype",
                problem: "is \(dtype.rawValue)",
                expectation: "F32 or BF16"
            )
        }
        self.configuration = configuration
        self.dtype = dtype
        self.seed = seed
    }

    /// Bytes of weights in all files.
    public var byteCount: Int {
        (1...configuration.chainCount).reduce(0) { $0 + configuration.byteCount(ofChain: $1, as: dtype) }
    }

    /// Writes the folder, which must not be there.
    ///
    /// It is written under another name and renamed when complete, so that no half-written model is left to be found.
    /// - Parameter progress: told how many of the ``byteCount`` bytes of weights are written.
    /// - Throws: `.inaccessible` if the folder is there already or cannot be written.
    public func write(to folder: String, progress: (Int) -> Void = { _ in }) throws(ModelFileError) {
        guard !FileManager.default.fileExists(atPath: folder) else {
            throw ModelFileError(
                .inaccessible,
                file: folder,
                problem: "is there already",
                expectation: "a folder to be made, as nothing is overwritten"
            )
        }
        // A slash at the end would put the partial folder into the one to be made.
        let name = folder.hasSuffix("/") ? String(folder.dropLast()) : folder
        let partial = name + ".partial-\(getpid())"
        do throws(ModelFileError) {
            try attempt(folder) {
                try FileManager.default.createDirectory(atPath: partial, withIntermediateDirectories: true)
            }
            try writeFiles(to: partial, progress: progress)
            try attempt(folder) { try FileManager.default.moveItem(atPath: partial, toPath: name) }
        } catch {
            try? FileManager.default.removeItem(atPath: partial)
            throw error
        }
    }

    private func writeFiles(to folder: String, progress: (Int) -> Void) throws(ModelFileError) {
        for (name, bytes) in [
            (ModelConfiguration.fileName, configFile), ("generation_config.json", generationFile),
            ("tokenizer.json", FillerTokenizer(vocabularySize: configuration.vocabularySize).file),
            (Checkpoint.indexFileName, Checkpoint.indexText(of: configuration, totalBytes: byteCount)),
        ] {
            let path = "\(folder)/\(name)"
            try attempt(path) { try Data(bytes).write(to: URL(fileURLWithPath: path)) }
        }
        var before = 0
        for chain in 1...configuration.chainCount {
            let writer = writer(ofChain: chain)
            let name = TensorName.fileName(ofChain: chain, of: configuration.chainCount)
            try writer.write(to: "\(folder)/\(name)") { progress(before + $0) }
            before += writer.byteCount
        }
    }

    /// The file of one chain; weights are made when it is written.
    func writer(ofChain chain: Int) -> SafetensorsWriter {
        var writer = SafetensorsWriter()
        writer.metadata = ["format": "pt", "weights": "random, seed \(seed)"]
        for name in TensorName.all(ofChain: chain, in: configuration) {
            let spread = spread(of: name)
            let random = RandomWeights(name: name.description, seed: seed)
            writer.add(name.description, dtype: dtype, shape: name.shape(in: configuration)) { [dtype, random] buffer in
                var random = random
                random.fill(buffer, dtype: dtype, spread: spread)
            }
        }
        return writer
    }

    /// The standard deviation of a tensor's weights; nil for ones.
    ///
    /// As GPT-2 does: products keep the size of what goes in, and what is added to the residual stream is scaled so that the
    /// sum over all layers stays near 1.
    private func spread(of name: TensorName) -> Float? {
        let shape = name.shape(in: configuration)
        switch name {
        case .inputNorm, .postAttentionNorm, .finalNorm:
            return nil
        case .attentionOutput, .down:
            return 1 / Float(2 * configuration.layerCount * shape[1]).squareRoot()
        case .embedding where !configuration.tiesEmbeddings:
            return 1
        case .embedding, .head:
            // All chains' columns are summed to a logit.
            return 1 / Float(configuration.hiddenSize).squareRoot()
        case .query, .key, .value, .gate, .up:
            return 1 / Float(shape[1]).squareRoot()
        }
    }

    // MARK: The small files

    private var configFile: [UInt8] {
        let c = configuration
        return Array(
            """
            {
              "architectures": ["ColmForCausalLM"],
              "bos_token_id": 0,
              "chains": [\(c.chains.map(String.init).joined(separator: ", "))],
              "dtype": "\(dtype == .bf16 ? "bfloat16" : "float32")",
              "eos_token_id": 0,
              "head_dim": \(c.headSize),
              "hidden_act": "silu",
              "hidden_size": \(c.hiddenSize),
              "intermediate_size": \(c.intermediateSize),
              "kv_sharing": true,
              "max_position_embeddings": \(c.contextLength),
              "model_type": "colm",
              "num_attention_heads": \(c.headCount),
              "num_hidden_layers": \(c.layerCount),
              "num_key_value_heads": \(c.keyValueHeadCount),
              "rms_norm_eps": \(c.normEpsilon),
              "rope_theta": \(c.ropeTheta),
              "tie_word_embeddings": \(c.tiesEmbeddings),
              "vocab_size": \(c.vocabularySize)
            }

            """.utf8
        )
    }

    private var generationFile: [UInt8] {
        Array(#"{"bos_token_id": 0, "do_sample": true, "eos_token_id": 0, "temperature": 1.0}"#.utf8) + [0x0A]
    }
}

/// Runs Foundation's calls on files, whose errors have no type, and says which file it was.
private func attempt(_ file: String, _ call: () throws -> Void) throws(ModelFileError) {
    do {
        try call()
    } catch {
        throw ModelFileError(.inaccessible, file: file, problem: error.localizedDescription)
    }
}
