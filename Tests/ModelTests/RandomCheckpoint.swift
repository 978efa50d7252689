// A checkpoint with random weights, large enough that its products are split over threads.

import Foundation
import ModelIO

/// Writes a folder in the checkpoint format; removed when the value that made it goes.
final class RandomCheckpoint: Sendable {
    let folder: String
    let configuration: ModelConfiguration

    /// - Parameter changedChain: the chain (from 1) whose weights differ from those of the same model without it.
    init(
        chains: [Int] = [3, 6, 3],
        kvHeads: Int = 3,
        headSize: Int = 16,
        inner: Int = 384,
        layers: Int = 3,
        vocabulary: Int = 131,
        type: DType = .bf16,
        isTied: Bool = true,
        changedChain: Int? = nil
    ) throws {
        let heads = chains.reduce(0, +)
        folder = NSTemporaryDirectory() + "catena-model-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let config: [String: Any] = [
            "model_type": "colm", "vocab_size": vocabulary, "hidden_size": heads * headSize,
            "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": heads,
            "num_key_value_heads": kvHeads, "head_dim": headSize, "chains": chains, "kv_sharing": true,
            "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "max_position_embeddings": 512,
            "tie_word_embeddings": isTied,
        ]
        let path = folder + "/config.json"
        try JSONSerialization.data(withJSONObject: config).write(to: URL(fileURLWithPath: path))
        configuration = try ModelConfiguration(path: path)
        var files: [String: String] = [:]
        for chain in 1...chains.count {
            let file = TensorName.fileName(ofChain: chain, of: chains.count)
            var random = Random(state: UInt64(chain + (chain == changedChain ? 100 : 0)))
            var writer = SafetensorsWriter()
            for name in TensorName.all(ofChain: chain, in: configuration) {
                let shape = name.shape(in: configuration)
                // Sums stay near 1, norms too.
                let scale = shape.count == 1 ? 0 : 1.5 / Float(shape[1]).squareRoot()
                let values = (0..<shape.reduce(1, *)).map { _ in shape.count == 1 ? 1 : random.next() * scale }
                writer.add(name.description, dtype: type, shape: shape, floats: values)
                files[name.description] = file
            }
            try writer.write(to: "\(folder)/\(file)")
        }
        let index: [String: Any] = ["metadata": [String: String](), "weight_map": files]
        try JSONSerialization.data(withJSONObject: index)
            .write(to: URL(fileURLWithPath: folder + "/model.safetensors.index.json"))
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func open(chains: Int? = nil) throws -> Checkpoint { try Checkpoint(folder: folder, chains: chains) }

    /// From -1 to 1, seeded.
    private struct Random {
        var state: UInt64

        mutating func next() -> Float {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int32(truncatingIfNeeded: state >> 32)) / Float(1 << 31)
        }
    }
}
