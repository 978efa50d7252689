// The index of a checkpoint's shards: which file holds which tensor.

import JSON

extension Checkpoint {
    /// The text of `model.safetensors.index.json`.
    /// - Parameter totalBytes: of all weights
    public static func indexText(of configuration: ModelConfiguration, totalBytes: Int) -> [UInt8] {
        var json = JSONWriter()
        json.raw("{\n  \"metadata\": {\"total_size\": ")
        json.integer(totalBytes)
        json.raw("},\n  \"weight_map\": {")
        var count = 0
        for position in 0..<configuration.chainCount {
            let chain = position + TensorName.firstChain
            for name in TensorName.all(ofChain: chain, in: configuration) {
                json.separator(before: count)
                json.raw("\n    ")
                json.string(name.description)
                json.raw(": ")
                json.string(TensorName.fileName(ofChain: chain, of: configuration.chainCount))
                count += 1
            }
        }
        json.raw("\n  }\n}\n")
        return json.bytes
    }
}
