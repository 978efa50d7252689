// config.json, with Llama's keys and those of CoLM. What it asks for and this server does not do is refused here, by
// name, rather than served wrongly. Keys that do not change the forward pass (`use_cache`, `architectures`) are ignored.

import JSON

extension ModelConfiguration {
    /// Name of the file in a model folder.
    public static let fileName = "config.json"
    /// A larger file is no configuration.
    private static let fileByteLimit = 1 << 20

    /// Reads and checks the config.json at `path`.
    /// - Throws: ``ModelFileError`` naming the file, the key and what would be right.
    public init(path: String) throws(ModelFileError) {
        let file = try MappedFile(path: path)
        defer { withExtendedLifetime(file) {} }
        try self.init(text: file.bytes, file: path)
    }

    /// Reads and checks the text of a config.json; `file` is its path, for messages.
    init(text: UnsafeRawBufferPointer, file: String) throws(ModelFileError) {
        guard text.count <= Self.fileByteLimit else {
            throw ModelFileError(
                .malformed,
                file: file,
                problem: "has \(text.count) bytes",
                expectation: "at most \(Self.fileByteLimit)"
            )
        }
        try self.init(json: JSONFields(parsing: text, file: file))
    }

    private init(json fields: JSONFields) throws(ModelFileError) {
        let modelType = try fields.string("model_type")
        guard modelType == "colm" else {
            throw fields.unsupported(
                "model_type",
                "is \(quoted(modelType))",
                modelType == "llama"
                    ? "\"colm\"; a Llama checkpoint is a CoLM of one chain, but its tensors must be renamed and its query heads "
                        + "put in tiled order first: convert it"
                    : "\"colm\""
            )
        }
        try Self.refuseUnsupported(fields)

        let hiddenSize = try fields.int("hidden_size")
        let headCount = try fields.int("num_attention_heads")
        if let headSize = try fields.optionalInt("head_dim") {
            let (product, overflow) = headSize.multipliedReportingOverflow(by: headCount)
            guard !overflow, product == hiddenSize else {
                throw fields.inconsistent(
                    "head_dim",
                    "is \(headSize)",
                    "hidden_size / num_attention_heads, \(hiddenSize) / \(headCount)"
                )
            }
        }
        let vocabularySize = try fields.int("vocab_size")
        try self.init(
            vocabularySize: vocabularySize,
            hiddenSize: hiddenSize,
            intermediateSize: fields.int("intermediate_size"),
            layerCount: fields.int("num_hidden_layers"),
            headCount: headCount,
            keyValueHeadCount: fields.int("num_key_value_heads"),
            chains: fields.ints("chains"),
            normEpsilon: Float(fields.double("rms_norm_eps")),
            ropeTheta: Self.ropeTheta(fields),
            contextLength: fields.int("max_position_embeddings"),
            tiesEmbeddings: fields.bool("tie_word_embeddings"),
            bosTokenID: Self.tokenIDs("bos_token_id", fields).first,
            eosTokenIDs: Self.tokenIDs("eos_token_id", fields),
            weightType: Self.weightType(fields),
            quantization: Quantization(in: fields),
            quality: Self.quality(fields),
            file: fields.file
        )
    }

    private static func refuseUnsupported(_ fields: JSONFields) throws(ModelFileError) {
        guard try fields.bool("kv_sharing") else {
            throw fields.unsupported(
                "kv_sharing",
                "is false: a plain CoLM, whose K and V depend on the chain count",
                "true (CoLM-Air), the only kind that can be served"
            )
        }
        if let activation = try fields.optionalString("hidden_act"), activation != "silu" {
            throw fields.unsupported("hidden_act", "is \(quoted(activation))", "\"silu\"")
        }
        for key in ["attention_bias", "mlp_bias"] where try fields.optionalBool(key) == true {
            throw fields.unsupported(key, "is true", "false: CoLM's linears have no bias")
        }
        for key in ["rope_scaling", "quantization_config"] {
            if let value = fields.value(key) { throw fields.unsupported(key, "is \(value.summary)", "null or absent") }
        }
    }

    /// `rope_theta`, at the top or in the `rope_parameters` that newer `transformers` write.
    private static func ropeTheta(_ fields: JSONFields) throws(ModelFileError) -> Double {
        guard let parameters = try fields.optionalObject("rope_parameters") else {
            return try fields.double("rope_theta")
        }
        if let type = try parameters.optionalString("rope_type"), type != "default" {
            throw parameters.unsupported("rope_type", "is \(quoted(type))", "\"default\"")
        }
        let theta = try parameters.double("rope_theta")
        if let outer = try fields.optionalDouble("rope_theta"), outer != theta {
            throw fields.inconsistent("rope_theta", "is \(outer)", "the value in rope_parameters, \(theta)")
        }
        return theta
    }

    /// Token ids given as one integer, a list, or not at all.
    private static func tokenIDs(_ key: String, _ fields: JSONFields) throws(ModelFileError) -> [Int32] {
        guard let value = fields.value(key) else { return [] }
        var ids: [Int32] = []
        for element in value.array ?? [value] {
            guard let id = element.int.flatMap(Int32.init(exactly:)) else {
                throw fields.inconsistent(key, "is \(element.summary)", "a token id or a list of them")
            }
            ids.append(id)
        }
        return ids
    }

    private static func weightType(_ fields: JSONFields) throws(ModelFileError) -> DType? {
        for key in ["dtype", "torch_dtype"] {
            switch try fields.optionalString(key) {
            case nil: continue
            case "float32": return .f32
            case "float16": return .f16
            case "bfloat16": return .bf16
            case let name?: throw fields.unsupported(key, "is \(quoted(name))", "float32, float16 or bfloat16")
            }
        }
        return nil
    }

    /// `"catena": {"quality": [{"chains": 1, "loss": 4.8, "perplexity": 127, "parameters": 2000000}, ..]}`
    private static func quality(_ fields: JSONFields) throws(ModelFileError) -> [ChainQuality] {
        guard let catena = try fields.optionalObject("catena") else { return [] }
        var quality: [ChainQuality] = []
        for entry in try catena.optionalObjects("quality") ?? [] {
            quality.append(
                try ChainQuality(
                    chains: entry.int("chains"),
                    loss: entry.double("loss"),
                    perplexity: entry.double("perplexity"),
                    parameters: entry.optionalInt("parameters")
                )
            )
        }
        return quality
    }
}
