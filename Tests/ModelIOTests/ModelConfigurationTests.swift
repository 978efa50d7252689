import ModelIO
import TestSupport
import Testing

@Suite struct ModelConfigurationTests {
    /// A config.json with one member replaced (dropped, where nil).
    static func read(_ changes: [String: String?]) throws -> ModelConfiguration {
        let folder = try TemporaryFolder()
        var small = SmallCheckpoint()
        for (key, value) in changes { small.members[key] = value }
        return try ModelConfiguration(path: folder.write("config.json", small.config))
    }

    @Test func readsEveryMember() throws {
        let configuration = try Self.read([
            "catena": """
            {"quality": [{"chains": 1, "loss": 4.5, "perplexity": 90.0, "parameters": 1234},
            {"chains": 3, "loss": 4, "perplexity": 54.6}]}
            """
        ])
        let expected = try ModelConfiguration(
            vocabularySize: 11,
            hiddenSize: 32,
            intermediateSize: 24,
            layerCount: 2,
            headCount: 8,
            keyValueHeadCount: 2,
            chains: [2, 4, 2],
            normEpsilon: 1e-5,
            ropeTheta: 10_000,
            contextLength: 64,
            tiesEmbeddings: false,
            bosTokenID: 1,
            eosTokenIDs: [1, 2],
            weightType: .bf16,
            quality: configuration.quality
        )
        #expect(configuration == expected)
        #expect(configuration.quality.map(\.chains) == [1, 3])
        #expect(configuration.quality.map(\.parameters) == [1234, nil])
        #expect(configuration.quality[0].loss == 4.5 && configuration.quality[1].perplexity == 54.6)
    }

    @Test func derivedSizes() throws {
        let configuration = try Self.read([:])
        #expect(configuration.chainCount == 3 && configuration.headSize == 4 && configuration.keyValueWidth == 8)
        #expect(configuration.chainWidths == [8, 16, 8])
        #expect(configuration.chainIntermediateSizes == [6, 12, 6])
        #expect((0...3).map(configuration.headsThrough) == [0, 2, 6, 8])
        #expect((0...3).map(configuration.widthThrough) == [0, 8, 24, 32])
        #expect((0...3).map(configuration.intermediateSizeThrough) == [0, 6, 18, 24])
    }

    /// The closed form of the architecture page, for n equal chains.
    @Test(arguments: [1, 2, 4])
    func parameterCountsFollowTheClosedForm(n: Int) throws {
        let (width, inner, layers, vocabulary, heads, keyValueHeads) = (64, 160, 3, 100, 16, 4)
        let configuration = try ModelConfiguration(
            vocabularySize: vocabulary,
            hiddenSize: width,
            intermediateSize: inner,
            layerCount: layers,
            headCount: heads,
            keyValueHeadCount: keyValueHeads,
            chains: Array(repeating: heads / n, count: n)
        )
        for k in 1...n {
            let triangle = Double(k * (k + 1)) / Double(2 * n * n)
            let group = Double(keyValueHeads) / Double(heads / n)
            let matrices = Double(2 * width * width + 3 * width * inner) * triangle
            let body = Double(layers) * (matrices + 2 * group * Double(width * width) / Double(n * n))
            let norms = Double((2 * layers + 1) * width * k / n)
            let tables = 2 * Double(vocabulary * width * k / n)
            #expect(Double(configuration.parameterCount(chains: k)) == body + norms + tables)
        }
    }

    @Test func optionalMembers() throws {
        let configuration = try Self.read([
            "head_dim": nil, "bos_token_id": "null", "eos_token_id": "2", "dtype": nil, "torch_dtype": "\"float16\"",
            "hidden_act": nil, "rope_scaling": "null", "use_cache": "true", "architectures": "[\"ColmForCausalLM\"]",
        ])
        #expect(configuration.bosTokenID == nil && configuration.eosTokenIDs == [2] && configuration.weightType == .f16)
        #expect(try Self.read(["eos_token_id": nil]).eosTokenIDs == [])
        let rope = try Self.read([
            "rope_theta": nil, "rope_parameters": #"{"rope_theta": 500000, "rope_type": "default"}"#,
        ])
        #expect(rope.ropeTheta == 500_000)
    }

    struct Refused: Sendable, CustomTestStringConvertible {
        var changes: [String: String?]
        var kind: ModelFileError.Kind
        var key: String
        var says: String
        init(_ changes: [String: String?], _ key: String, _ says: String, _ kind: ModelFileError.Kind = .inconsistent) {
            (self.changes, self.key, self.says, self.kind) = (changes, key, says, kind)
        }
        var testDescription: String { "\(changes.keys.sorted()): \(says)" }
    }

    static let refused: [Refused] = [
        Refused(["model_type": "\"llama\""], "model_type", "convert it", .unsupported),
        Refused(["model_type": "\"gpt2\""], "model_type", "expected \"colm\"", .unsupported),
        Refused(["model_type": nil], "model_type", "is missing; expected a string"),
        Refused(["kv_sharing": "false"], "kv_sharing", "plain CoLM", .unsupported),
        Refused(["kv_sharing": nil], "kv_sharing", "is missing"),
        Refused(["hidden_act": "\"gelu\""], "hidden_act", "is \"gelu\"; expected \"silu\"", .unsupported),
        Refused(["attention_bias": "true"], "attention_bias", "no bias", .unsupported),
        Refused(["mlp_bias": "true"], "mlp_bias", "no bias", .unsupported),
        Refused(["rope_scaling": #"{"rope_type":"llama3"}"#], "rope_scaling", "null or absent", .unsupported),
        Refused(["quantization_config": #"{"bits":8}"#], "quantization_config", "null or absent", .unsupported),
        Refused(
            ["rope_parameters": #"{"rope_type":"yarn"}"#],
            "rope_parameters.rope_type",
            "\"default\"",
            .unsupported
        ),
        Refused(["rope_parameters": #"{"rope_theta":7}"#], "rope_theta", "rope_parameters, 7"),
        Refused(["dtype": "\"int8\""], "dtype", "float32, float16 or bfloat16", .unsupported),
        Refused(["hidden_size": "\"32\""], "hidden_size", "is \"32\"; expected an integer"),
        Refused(["hidden_size": "32.0"], "hidden_size", "is 32.0; expected an integer"),
        Refused(["head_dim": nil, "hidden_size": "0"], "hidden_size", "1 to 1048576"),
        Refused(["hidden_size": "1e9"], "hidden_size", "an integer"),
        Refused(["head_dim": nil, "hidden_size": "2000000000"], "hidden_size", "1 to 1048576"),
        Refused(["head_dim": nil, "hidden_size": "9223372036854775807"], "hidden_size", "1 to 1048576"),
        Refused(["head_dim": nil, "hidden_size": "36"], "hidden_size", "a multiple of num_attention_heads, 8"),
        Refused(["head_dim": nil, "hidden_size": "24"], "head_dim", "an even number"),
        Refused(["head_dim": "8"], "head_dim", "32 / 8"),
        Refused(["head_dim": "9223372036854775807"], "head_dim", "32 / 8"),
        Refused(["vocab_size": "-1"], "vocab_size", "1 to 16777216"),
        Refused(["num_hidden_layers": "0"], "num_hidden_layers", "1 to 4096"),
        Refused(["num_hidden_layers": "5000"], "num_hidden_layers", "1 to 4096"),
        Refused(["intermediate_size": "9223372036854775807"], "intermediate_size", "1 to 4194304"),
        Refused(["intermediate_size": "25"], "intermediate_size", "a whole number"),
        Refused(["max_position_embeddings": "0"], "max_position_embeddings", "1 to"),
        Refused(["head_dim": nil, "num_attention_heads": "0"], "num_attention_heads", "1 to 32"),
        Refused(["num_key_value_heads": "0"], "num_key_value_heads", "1 to 8"),
        Refused(["num_key_value_heads": "9"], "num_key_value_heads", "1 to 8"),
        Refused(["num_key_value_heads": "3"], "chains", "chain 1 has 2 heads; expected a positive multiple"),
        Refused(
            ["chains": "[2, 3, 3]"],
            "chains",
            "chain 2 has 3 heads; expected a positive multiple of num_key_value_heads, 2"
        ),
        Refused(["chains": "[2, 4]"], "chains", "sum to 6; expected num_attention_heads, 8"),
        Refused(["chains": "[2, 4, 4]"], "chains", "sum to 10; expected num_attention_heads, 8"),
        Refused(["chains": "[]"], "chains", "is empty"),
        Refused(["chains": "[8, 0]"], "chains", "chain 2 has 0 heads"),
        Refused(["chains": "[10, -2]"], "chains", "chain 1 has 10 heads"),
        Refused(["chains": "[9223372036854775806, 9223372036854775806]"], "chains", "chain 1 has"),
        Refused(["chains": "4"], "chains", "is 4; expected a list"),
        Refused(["chains": "[2, \"4\", 2]"], "chains", "holds \"4\"; expected integers"),
        Refused(["rms_norm_eps": "-1"], "rms_norm_eps", "from 0 up"),
        Refused(["rms_norm_eps": "1e300"], "rms_norm_eps", "a number"),
        Refused(["rms_norm_eps": "\"1\""], "rms_norm_eps", "is \"1\"; expected a number"),
        Refused(["rope_theta": "0"], "rope_theta", "a positive number"),
        Refused(["rope_theta": nil], "rope_theta", "is missing"),
        Refused(["tie_word_embeddings": "1"], "tie_word_embeddings", "true or false"),
        Refused(["bos_token_id": "11"], "bos_token_id", "is 11; expected 0 to 10"),
        Refused(["eos_token_id": "[1, 11]"], "eos_token_id", "is 11; expected 0 to 10"),
        Refused(["eos_token_id": "[1, -1]"], "eos_token_id", "is -1; expected 0 to 10"),
        Refused(["eos_token_id": "[4294967297]"], "eos_token_id", "a token id or a list of them"),
        Refused(
            ["catena": "{\"quality\": [{\"chains\": 4, \"loss\": 1, \"perplexity\": 2}]}"],
            "catena.quality",
            "1 to 3"
        ),
        Refused(
            ["catena": "{\"quality\": [{\"chains\": 1, \"loss\": 1}]}"],
            "catena.quality[0].perplexity",
            "is missing"
        ),
        Refused(["catena": "{\"quality\": [7]}"], "catena.quality", "holds 7; expected objects"),
    ]

    @Test(arguments: refused)
    func refusesWithKeyAndExpectation(_ refused: Refused) throws {
        let error = try #require(throws: ModelFileError.self) { try Self.read(refused.changes) }
        #expect(error.item == refused.key, "\(error)")
        #expect(error.kind == refused.kind, "\(error)")
        #expect(error.description.contains(refused.says), "\(error)")
        #expect(error.file.hasSuffix("/config.json"))
    }

    @Test(arguments: ["", "[]", "{", "{\"a\": 1, \"a\": 2}", "nul", "{\"a\": \"\u{1}\"}"])
    func refusesWhatIsNoJSONObject(text: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("config.json", text)
        let error = try #require(throws: ModelFileError.self) { try ModelConfiguration(path: path) }
        #expect(error.kind == .malformed && error.file == path)
    }

    /// Such a number has no key in its error: it does not get past the JSON parser, which says where it stands.
    @Test func refusesNumbersThatAreNotFinite() throws {
        let error = try #require(throws: ModelFileError.self) { try Self.read(["rms_norm_eps": "1e400"]) }
        #expect(error.kind == .malformed && error.file.hasSuffix("/config.json"))
        #expect(error.problem.hasPrefix("not JSON: a number too large for 64 bits at byte "))
    }

    /// Damage gives an error or a configuration whose sizes can all be computed: never a crash.
    @Test func damagedFilesNeverCrash() throws {
        let folder = try TemporaryFolder()
        let valid = Array(SmallCheckpoint().config.utf8)
        var random = SeededGenerator(seed: 9)
        var accepted = 0
        for round in 0..<3000 {
            var bytes = valid
            if round % 8 == 0 {
                bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
            } else {
                // Mostly another digit, so that damage gets past the JSON parser.
                let digits = bytes.indices.filter { (0x30...0x39).contains(bytes[$0]) }
                bytes[digits.randomElement(using: &random)!] =
                    round % 2 == 0
                    ? UInt8.random(in: 0...255, using: &random) : UInt8.random(in: 0x30...0x39, using: &random)
            }
            let path = try folder.write("config.json", bytes)
            guard let configuration = try? ModelConfiguration(path: path) else { continue }
            accepted += 1
            #expect(configuration.parameterCount(chains: configuration.chainCount) > 0)
        }
        #expect(accepted > 100 && accepted < 2900, "\(accepted)")
    }
}
