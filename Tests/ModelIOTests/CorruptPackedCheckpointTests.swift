// Packed checkpoints that are not what their config.json says, and settings that this server does not know.

import Foundation
import ModelIO
import Testing

@Suite struct CorruptPackedCheckpointTests {
    private static let right: [String: String] = [
        "format": "\"int4\"", "head_format": "\"int8\"", "group_size": "32", "panel": "32", "version": "1",
    ]

    private static func text(_ members: [String: String]) -> String {
        "{" + members.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "}"
    }

    private func configuration(_ quantization: String, _ small: SmallCheckpoint = .packable) throws
        -> ModelConfiguration
    {
        let folder = try TemporaryFolder()
        var small = small
        small.members["quantization"] = quantization
        return try ModelConfiguration(path: folder.write("config.json", small.config))
    }

    @Test func settings() throws {
        #expect(
            try configuration(Self.text(Self.right)).quantization == Quantization(format: .int4, headFormat: .int8)
        )
        #expect(try configuration("null").quantization == nil)
    }

    @Test(
        arguments: [
            ("format", "\"int3\"", "format: is \"int3\"; expected one of \"bf16\", \"int8\", \"int4\""),
            ("head_format", "\"fp8\"", "head_format: is \"fp8\"; expected one of \"bf16\", \"int8\", \"int4\""),
            ("head_format", "null", "head_format: is missing; expected a string"),
            ("format", "4", "format: is 4; expected a string"),
            (
                "version", "2",
                "version: is 2; expected 1; quantize the original model again with this version of catena"
            ),
            ("group_size", "64", "group_size: is 64; expected 32; quantize the original model again"),
            ("panel", "16", "panel: is 16; expected 32; quantize"),
            ("panel", "32.5", "panel: is 32.5; expected an integer"),
            (
                "bits", "4",
                "\"bits\": is no setting of a packed checkpoint; expected only format, head_format, group_size"
            ),
        ]
    )
    func wrongSettings(key: String, value: String, message: String) throws {
        let error = try #require(throws: ModelFileError.self) {
            try configuration(Self.text(Self.right.merging([key: value]) { $1 }))
        }
        #expect(error.description.contains("config.json: quantization.\(message)"), "\(error)")
    }

    @Test func noObject() throws {
        let error = try #require(throws: ModelFileError.self) { try configuration("\"int8\"") }
        #expect(error.description.hasSuffix("config.json: quantization: is \"int8\"; expected an object"))
    }

    @Test func widthsThatAreNoGroups() throws {
        let error = try #require(throws: ModelFileError.self) {
            try configuration(Self.text(Self.right), SmallCheckpoint())
        }
        #expect(error.description.contains("quantization: chain 1 has 8 hidden values; expected a multiple of 32"))
    }

    /// Opens an int8 checkpoint after `damage` was done to it, and returns the error.
    private func error(_ damage: (String) throws -> Void) throws -> String {
        let folder = try TemporaryFolder()
        try SmallCheckpoint.packable.write(to: folder)
        let path = try PackedCheckpointTests.packed(folder, Quantization(target: .int8))
        try damage(path)
        let error = try #require(throws: ModelFileError.self) { try Checkpoint(folder: path) }
        return error.description.replacing(path + "/", with: "")
    }

    /// Rewrites the shard of chain 2 with another dtype and shape of one tensor.
    private func shardError(_ victim: TensorName, _ dtype: DType, _ shape: [Int]) throws -> String {
        try error { path in
            let configuration = try Checkpoint(folder: path).configuration
            var writer = SafetensorsWriter()
            for name in TensorName.all(ofChain: 2, in: configuration) {
                if name == victim {
                    writer.add(name.description, dtype: dtype, shape: shape) { _ in }
                } else {
                    let dtype = name.isMatrix ? DType.u8 : .bf16
                    writer.add(name.description, dtype: dtype, shape: name.storedShape(in: configuration)) { _ in }
                }
            }
            try writer.write(to: path + "/chain-2-of-3.safetensors")
        }
    }

    @Test func wrongTensors() throws {
        let victim = TensorName.down(layer: 1, chain: 2)
        let start = "chain-2-of-3.safetensors: model.layers.1.mlp.down_proj.chains.2.weight: "
        #expect(
            try shardError(victim, .bf16, [64, 192])
                == start + "has dtype BF16; expected U8, the bytes of int8 panels, by config.json"
        )
        #expect(
            try shardError(victim, .i8, [2, 6528])
                == start + "has dtype I8; expected U8, the bytes of int8 panels, by config.json"
        )
        #expect(
            try shardError(victim, .u8, [2, 3456])
                == start + "has shape [2, 3456]; expected [2, 6528], the int8 panels of [64, 192], by config.json"
        )
        #expect(
            try shardError(.finalNorm(chain: 2), .u8, [64])
                == "chain-2-of-3.safetensors: model.norm.chains.2.weight: has dtype U8; expected F32, F16 or BF16"
        )
    }

    @Test func truncated() throws {
        let error = try error { path in
            let file = URL(fileURLWithPath: path + "/chain-1-of-3.safetensors")
            let bytes = try Data(contentsOf: file)
            try bytes.dropLast(100).write(to: file)
        }
        #expect(error.hasPrefix("chain-1-of-3.safetensors: "), "\(error)")
        #expect(error.contains("data_offsets are"), "\(error)")
    }

    /// Panels without the setting that says so, and the setting without panels.
    @Test func configurationOfAnother() throws {
        let plain = try error { path in
            try SmallCheckpoint.packable.config.write(toFile: path + "/config.json", atomically: true, encoding: .utf8)
        }
        #expect(plain.hasSuffix("has dtype U8; expected F32, F16 or BF16"))
        let folder = try TemporaryFolder()
        var small = SmallCheckpoint.packable
        try small.write(to: folder)
        small.members["quantization"] = Self.text(Self.right)
        try folder.write("config.json", small.config)
        let unpacked = try #require(throws: ModelFileError.self) { try Checkpoint(folder: folder.path) }
        #expect(unpacked.description.hasSuffix("has dtype BF16; expected U8, the bytes of int8 panels, by config.json"))
    }
}
