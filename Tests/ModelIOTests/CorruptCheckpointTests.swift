import Foundation
import ModelIO
import Testing

@Suite struct CorruptCheckpointTests {
    /// Opens a small checkpoint after `damage` was done to it, and returns the error.
    private func error(_ damage: (TemporaryFolder, ModelConfiguration) throws -> Void) throws -> String {
        let folder = try TemporaryFolder()
        let configuration = try SmallCheckpoint().write(to: folder)
        try damage(folder, configuration)
        let error = try #require(throws: ModelFileError.self) { try Checkpoint(folder: folder.path) }
        #expect(error.file.hasPrefix(folder.path + "/"))
        return String(error.description.dropFirst(folder.path.utf8.count + 1))
    }

    /// Rewrites the file of chain 2 with the tensors that `change` leaves.
    private func chain2Error(
        _ change: (TensorName, [Int]) -> (name: String, dtype: DType, shape: [Int])?,
        adding extra: String? = nil
    ) throws -> String {
        try error { folder, configuration in
            var writer = SafetensorsWriter()
            for name in TensorName.all(ofChain: 2, in: configuration) {
                guard let (name, dtype, shape) = change(name, name.shape(in: configuration)) else { continue }
                let count = shape.reduce(1, *) * dtype.byteCount
                writer.add(name, dtype: dtype, shape: shape, bytes: [UInt8](repeating: 0, count: count))
            }
            if let extra { writer.add(extra, shape: [1], floats: [0]) }
            try writer.write(to: folder.path("chain-2-of-3.safetensors"))
        }
    }

    @Test func wrongTensors() throws {
        let victim = TensorName.down(layer: 1, chain: 2)
        let label = "model.layers.1.mlp.down_proj.chains.2.weight"
        let missing = try chain2Error { name, shape in name == victim ? nil : (name.description, .f32, shape) }
        #expect(missing == "chain-2-of-3.safetensors: \(label): is missing; expected a float tensor of shape [16, 18]")
        let transposed = try chain2Error { name, shape in
            (name.description, .f32, name == victim ? shape.reversed() : shape)
        }
        #expect(
            transposed == "chain-2-of-3.safetensors: \(label): has shape [18, 16]; expected [16, 18], by config.json"
        )
        let integer = try chain2Error { name, shape in (name.description, name == victim ? .i32 : .f32, shape) }
        #expect(integer == "chain-2-of-3.safetensors: \(label): has dtype I32; expected F32, F16 or BF16")
        let extra = try chain2Error(
            { name, shape in (name.description, .f32, shape) },
            adding: "lm_head.chains.3.weight"
        )
        #expect(
            extra.hasPrefix(
                "chain-2-of-3.safetensors: \"lm_head.chains.3.weight\": is no tensor of chain 2; expected only"
            )
        )
    }

    @Test func missingFiles() throws {
        for name in ["config.json", "model.safetensors.index.json", "chain-3-of-3.safetensors"] {
            let error = try error { folder, _ in try folder.remove(name) }
            #expect(error == "\(name): cannot open: No such file or directory")
        }
    }

    @Test func indexThatDisagrees() throws {
        func error(_ change: (inout [String: String]) -> Void) throws -> String {
            try self.error { folder, configuration in
                var map = SmallCheckpoint().index(configuration)
                change(&map)
                try folder.write("model.safetensors.index.json", SmallCheckpoint.indexText(map))
            }
        }
        let name = "model.norm.chains.2.weight"
        let expected = "; expected \"chain-2-of-3.safetensors\""
        let start = "model.safetensors.index.json: weight_map.\(name): "
        #expect(
            try error { $0[name] = "chain-3-of-3.safetensors" } == start + "is in \"chain-3-of-3.safetensors\""
                + expected
        )
        #expect(try error { $0[name] = "../../etc/passwd" } == start + "is in \"../../etc/passwd\"" + expected)
        #expect(try error { $0[name] = "/etc/passwd" } == start + "is in \"/etc/passwd\"" + expected)
        #expect(try error { $0[name] = nil } == start + "is missing; expected a string")
        let stranger = try error { $0["model.extra.weight"] = "chain-1-of-3.safetensors" }
        #expect(stranger.contains("weight_map.\"model.extra.weight\": is no tensor of this model; expected 55 tensors"))
    }

    @Test func indexThatIsNoIndex() throws {
        for text in ["", "{}", "[]", "{\"weight_map\": 7}"] {
            let error = try error { folder, _ in try folder.write("model.safetensors.index.json", text) }
            #expect(error.hasPrefix("model.safetensors.index.json: "))
        }
    }
}
