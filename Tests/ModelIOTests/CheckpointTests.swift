import Foundation
import ModelIO
import Testing

@Suite struct CheckpointTests {
    @Test(arguments: [DType.f32, .f16, .bf16])
    func everyWeightComesBack(dtype: DType) throws {
        let folder = try TemporaryFolder()
        var small = SmallCheckpoint()
        small.dtype = dtype
        let configuration = try small.write(to: folder)
        let checkpoint = try Checkpoint(folder: folder.path)
        #expect(checkpoint.chainCount == 3)
        for chain in 1...3 {
            for (position, name) in TensorName.all(ofChain: chain, in: configuration).enumerated() {
                let weight = try checkpoint.weight(name)
                #expect(weight.dtype == dtype && weight.isAligned)
                #expect(weight.shape == name.shape(in: configuration))
                #expect(weight.floats() == SmallCheckpoint.values(position, count: weight.elementCount), "\(name)")
            }
        }
    }

    /// Names and shapes as the format page gives them, spelled out here and not built by the code under test.
    @Test func namesAndShapes() throws {
        let folder = try TemporaryFolder()
        let configuration = try SmallCheckpoint().write(to: folder)
        let checkpoint = try Checkpoint(folder: folder.path)
        let expected: [(String, file: Int, [Int])] = [
            ("model.embed_tokens.chains.2.weight", 2, [11, 16]),
            ("model.layers.1.self_attn.q_proj.chains.2.weight", 2, [16, 24]),
            ("model.layers.0.self_attn.o_proj.chains.3.weight", 3, [8, 32]),
            ("model.layers.1.self_attn.k_proj.weight", 1, [8, 8]),
            ("model.layers.0.self_attn.v_proj.weight", 1, [8, 8]),
            ("model.layers.0.mlp.gate_proj.chains.2.weight", 2, [12, 24]),
            ("model.layers.0.mlp.up_proj.chains.1.weight", 1, [6, 8]),
            ("model.layers.1.mlp.down_proj.chains.3.weight", 3, [8, 24]),
            ("model.layers.0.input_layernorm.chains.1.weight", 1, [8]),
            ("model.layers.1.post_attention_layernorm.chains.2.weight", 2, [16]),
            ("model.norm.chains.3.weight", 3, [8]),
            ("lm_head.chains.1.weight", 1, [11, 8]),
        ]
        for (name, file, shape) in expected {
            #expect(checkpoint.files[file - 1][name]?.shape == shape, "\(name)")
        }
        #expect(checkpoint.files.map { $0.tensors.count } == [21, 17, 17])
        let parameters = (1...3).map { chain in
            checkpoint.files[chain - 1].tensors.reduce(0) { $0 + $1.elementCount }
        }
        #expect((1...3).map { configuration.parameterCount(ofChain: $0) } == parameters)
        #expect(configuration.parameterCount(chains: 2) == parameters[0] + parameters[1])
        #expect((1...3).map { checkpoint.byteCount(ofChain: $0) } == parameters.map { $0 * 2 })
        #expect((1...3).map { configuration.byteCount(ofChain: $0, as: .bf16) } == parameters.map { $0 * 2 })
    }

    @Test func theFirstChainsNeedOnlyTheirFiles() throws {
        let folder = try TemporaryFolder()
        try SmallCheckpoint().write(to: folder)
        try folder.remove("chain-3-of-3.safetensors")
        let checkpoint = try Checkpoint(folder: folder.path, chains: 2)
        #expect(
            checkpoint.files.map { ($0.path as NSString).lastPathComponent } == [
                "chain-1-of-3.safetensors", "chain-2-of-3.safetensors",
            ]
        )
        #expect(throws: ModelFileError.self) { try Checkpoint(folder: folder.path) }
        let error = #expect(throws: ModelFileError.self) { try checkpoint.weight(.finalNorm(chain: 3)) }
        #expect(
            error?.description.hasSuffix(
                "model.norm.chains.3.weight: is of chain 3, which is not loaded; expected chains 1 to 2"
            ) == true
        )
    }

    @Test(arguments: [0, 4, -1])
    func chainCountsOutOfRange(chains: Int) throws {
        let folder = try TemporaryFolder()
        try SmallCheckpoint().write(to: folder)
        let error = #expect(throws: ModelFileError.self) { try Checkpoint(folder: folder.path, chains: chains) }
        #expect(error?.expectation == "1 to 3, the chains of this model")
    }

    @Test func tiedModelsHaveNoHead() throws {
        let folder = try TemporaryFolder()
        var small = SmallCheckpoint()
        small.members["tie_word_embeddings"] = "true"
        try small.write(to: folder)
        let checkpoint = try Checkpoint(folder: folder.path)
        let error = #expect(throws: ModelFileError.self) { try checkpoint.weight(.head(chain: 1)) }
        #expect(
            error?.description.contains("lm_head.chains.1.weight: is missing; expected none, as it is tied") == true
        )
        #expect(throws: ModelFileError.self) { try checkpoint.weight(.key(layer: 2)) }
    }

    @Test func fingerprintFollowsChain1Alone() throws {
        func fingerprint(chains: Int? = nil, _ change: (inout SmallCheckpoint, TemporaryFolder) throws -> Void) throws
            -> String
        {
            let folder = try TemporaryFolder()
            var small = SmallCheckpoint()
            try small.write(to: folder)
            try change(&small, folder)
            return try Checkpoint(folder: folder.path, chains: chains).fingerprint
        }
        func flipLastByte(ofChain chain: Int, in folder: TemporaryFolder) throws {
            let name = "chain-\(chain)-of-3.safetensors"
            var bytes = try Data(contentsOf: URL(fileURLWithPath: folder.path(name)))
            bytes[bytes.count - 1] ^= 1
            try folder.write(name, bytes)
        }
        let base = try fingerprint { _, _ in }
        // A changed constant makes every stored snapshot worthless: change the version in the hashed text with it.
        #expect(base == "6d90491daa6755973bcb3579d617cf79")
        #expect(try fingerprint(chains: 1) { _, _ in } == base)
        #expect(try fingerprint { _, folder in try flipLastByte(ofChain: 2, in: folder) } == base)
        #expect(try fingerprint { _, folder in try flipLastByte(ofChain: 1, in: folder) } != base)
        #expect(
            try fingerprint { small, folder in
                small.members["rope_theta"] = "10001.0"
                try small.write(to: folder)
            } != base
        )
        #expect(
            try fingerprint { small, folder in
                small.dtype = .f16
                try small.write(to: folder)
            } != base
        )
    }
}
