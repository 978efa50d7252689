// A checkpoint of three unequal chains with few weights, written by this module's own writer.

import ModelIO

struct SmallCheckpoint {
    /// config.json as members, so that a test can replace or drop one.
    var members: [String: String] = [
        "model_type": "\"colm\"", "vocab_size": "11", "hidden_size": "32", "intermediate_size": "24",
        "num_hidden_layers": "2", "num_attention_heads": "8", "num_key_value_heads": "2", "head_dim": "4",
        "chains": "[2, 4, 2]", "kv_sharing": "true", "hidden_act": "\"silu\"", "rms_norm_eps": "1e-05",
        "rope_theta": "10000.0", "max_position_embeddings": "64", "tie_word_embeddings": "false",
        "bos_token_id": "1", "eos_token_id": "[1, 2]", "dtype": "\"bfloat16\"",
    ]
    var dtype: DType = .bf16

    /// One whose chains, of 32, 64 and 32 hidden and 64, 128 and 64 feed-forward values, can be packed in every format.
    static var packable: SmallCheckpoint {
        var small = SmallCheckpoint()
        small.members.merge(["hidden_size": "128", "intermediate_size": "256", "head_dim": "16"]) { $1 }
        return small
    }

    var config: String {
        "{" + members.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "}"
    }

    /// Distinct small numbers, exact in every float type: the tensor's place in its chain, and the element's.
    static func values(_ position: Int, count: Int) -> [Float] {
        (0..<count).map { Float((position * 7 + $0) % 61) - 30 }
    }

    func writer(ofChain chain: Int, in configuration: ModelConfiguration) -> SafetensorsWriter {
        var writer = SafetensorsWriter()
        writer.metadata = ["format": "pt"]
        for (position, name) in TensorName.all(ofChain: chain, in: configuration).enumerated() {
            let shape = name.shape(in: configuration)
            let values = Self.values(position, count: shape.reduce(1, *))
            writer.add(name.description, dtype: dtype, shape: shape, floats: values)
        }
        return writer
    }

    func index(_ configuration: ModelConfiguration) -> [String: String] {
        var map: [String: String] = [:]
        for chain in 1...configuration.chainCount {
            for name in TensorName.all(ofChain: chain, in: configuration) {
                map[name.description] = "chain-\(chain)-of-\(configuration.chainCount).safetensors"
            }
        }
        return map
    }

    static func indexText(_ map: [String: String]) -> String {
        let members = map.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \"\($0.value)\"" }
        return "{\"metadata\": {\"total_size\": 1}, \"weight_map\": {\(members.joined(separator: ", "))}}"
    }

    /// Writes all files and returns the configuration.
    @discardableResult
    func write(to folder: TemporaryFolder) throws -> ModelConfiguration {
        let configuration = try ModelConfiguration(path: folder.write("config.json", config))
        try folder.write("model.safetensors.index.json", Self.indexText(index(configuration)))
        for chain in 1...configuration.chainCount {
            try writer(ofChain: chain, in: configuration)
                .write(to: folder.path("chain-\(chain)-of-\(configuration.chainCount).safetensors"))
        }
        return configuration
    }
}
