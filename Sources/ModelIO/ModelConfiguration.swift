// The shape of a model, from its config.json: plain numbers, already checked against each other.

/// The configuration of a CoLM-Air model. Symbols are those of the architecture page: hidden width `D`, heads `H`,
/// feed-forward width `F`, chains `c_1..c_n` in query heads.
///
/// A value of this type is consistent, because its initializers refuse anything else, and no size or parameter count
/// derived from it can overflow.
public struct ModelConfiguration: Sendable, Equatable {
    /// `V`
    public let vocabularySize: Int
    /// `D`
    public let hiddenSize: Int
    /// `F`
    public let intermediateSize: Int
    public let layerCount: Int
    /// Query heads `H` of all chains together.
    public let headCount: Int
    /// `H_kv`; all on chain 1. Query head `j` reads KV head `j mod H_kv`.
    public let keyValueHeadCount: Int
    /// Query heads of each chain, `c_1..c_n`.
    public let chains: [Int]
    public let normEpsilon: Float
    public let ropeTheta: Double
    /// Longest context the model was made for, in tokens.
    public let contextLength: Int
    /// Whether the head is the embedding table, and `lm_head` absent.
    public let tiesEmbeddings: Bool
    public let bosTokenID: Int32?
    /// Tokens that end an answer; may be empty.
    public let eosTokenIDs: [Int32]
    /// The type the weights were saved in, if the file says so; the tensors themselves decide.
    public let weightType: DType?
    /// How the matrices are packed; nil for a checkpoint of plain numbers.
    public let quantization: Quantization?
    /// Measured quality of each prefix of chains, if the file states it. A packed checkpoint repeats its original's.
    public let quality: [ChainQuality]

    /// What the model is worth with its first ``chains`` chains, as measured when it was trained.
    public struct ChainQuality: Sendable, Equatable {
        /// 1...n
        public let chains: Int
        /// Mean negative log likelihood per token on the validation text, in nats.
        public let loss: Double
        public let perplexity: Double
        public let parameters: Int?
    }

    /// Makes a configuration and checks it against the rules of the architecture.
    /// - Parameter file: where the numbers come from, for messages.
    /// - Throws: ``ModelFileError`` naming the key of config.json at fault.
    public init(
        vocabularySize: Int,
        hiddenSize: Int,
        intermediateSize: Int,
        layerCount: Int,
        headCount: Int,
        keyValueHeadCount: Int,
        chains: [Int],
        normEpsilon: Float = 1e-5,
        ropeTheta: Double = 10_000,
        contextLength: Int = 2048,
        tiesEmbeddings: Bool = false,
        bosTokenID: Int32? = nil,
        eosTokenIDs: [Int32] = [],
        weightType: DType? = nil,
        quantization: Quantization? = nil,
        quality: [ChainQuality] = [],
        file: String = "configuration"
    ) throws(ModelFileError) {
        self.vocabularySize = vocabularySize
        self.hiddenSize = hiddenSize
        self.intermediateSize = intermediateSize
        self.layerCount = layerCount
        self.headCount = headCount
        self.keyValueHeadCount = keyValueHeadCount
        self.chains = chains
        self.normEpsilon = normEpsilon
        self.ropeTheta = ropeTheta
        self.contextLength = contextLength
        self.tiesEmbeddings = tiesEmbeddings
        self.bosTokenID = bosTokenID
        self.eosTokenIDs = eosTokenIDs
        self.weightType = weightType
        self.quantization = quantization
        self.quality = quality
        try check(file: file)
    }
}
