import Core

/// A `POST /v1/completions` or `POST /v1/chat/completions` as asked: decoded and checked field by field, not yet tokenised.
public struct CompletionRequest: Sendable, Hashable {
    /// What is to be continued.
    public enum Prompt: Sendable, Hashable {
        case text(String)
        /// Ids that the vocabulary has; at least one.
        case tokens([TokenID])
        /// A conversation, to be written down by the model's template.
        case chat(Conversation)

        /// The field that it came in.
        var field: String {
            if case .chat = self { "messages" } else { "prompt" }
        }
    }

    /// The messages of a chat, at least one.
    public struct Conversation: Sendable, Hashable {
        var messages: [ChatMessage]
        var template: ChatTemplate
    }

    /// The model name of the answer: the one asked for, or the served one when none was.
    public var model: String
    /// At least one. Answers come in this order, `n` for each.
    public var prompts: [Prompt]
    /// The most tokens of one answer. 0 only evaluates the prompt; nil: as many as the context has room for.
    public var maxTokens: Int? = 16
    /// The fewest tokens of one answer: until then no token ends it. A stop string still does.
    public var minTokens = 0
    public var temperature: Float = 1
    public var topP: Float = 1
    /// 0: all.
    public var topK = 0
    public var minP: Float = 0
    public var typicalP: Float = 1
    public var repetitionPenalty: Float = 1
    public var presencePenalty: Float = 0
    public var frequencyPenalty: Float = 0
    /// By tokens that the vocabulary has.
    public var logitBias: [TokenID: Float] = [:]
    /// Nil: a random one.
    public var seed: UInt64?
    /// Answers for each prompt.
    public var n = 1
    /// Answers generated for each prompt, at least `n`: the likeliest of them are given.
    public var bestOf = 1
    public var stream = false
    /// Whether a stream ends with a chunk that holds the usage.
    public var includeUsage = false
    /// Alternatives beside each token's log probability; nil: no log probabilities.
    public var logprobs: Int?
    /// Whether an answer begins with its prompt.
    public var echo = false
    /// None of them empty.
    public var stop: [String] = []
    public var stopTokens: Set<TokenID> = []
    public var ignoreEndTokens = false
    public var chains: ChainSelection
    public var sessionID: String?
    public var budget = LatencyBudget.none
    /// Higher ones get their place first. Nil: 0, or the key's.
    public var priority: Int?
    /// Prefixes are shared only with requests of the same salt; nil is a salt of its own.
    public var cacheSalt: String?

    /// Whether spaces that an answer begins with are left out.
    public var skipsLeadingSpaces = false

    /// Whether it is a chat.
    var isChat: Bool {
        if case .chat = prompts[0] { true } else { false }
    }

    /// Answers generated in all.
    var candidateCount: Int { prompts.count * bestOf }

    /// Whether some of the answers are only generated to be compared.
    var isRanked: Bool { bestOf > n }

    /// The sampling rules of the answer with this number among those of a prompt. Seeds are derived by the number
    /// alone, so that prompts sent together are answered as if sent one by one.
    func sampling(number: Int, seed: UInt64) -> SamplingParameters {
        SamplingParameters(
            temperature: temperature,
            topK: topK,
            topP: topP,
            minP: minP,
            typicalP: typicalP,
            repetitionPenalty: repetitionPenalty,
            presencePenalty: presencePenalty,
            frequencyPenalty: frequencyPenalty,
            bias: logitBias,
            seed: number == 0 ? seed : Self.mixed(seed &+ UInt64(number) &* 0x9E37_79B9_7F4A_7C15)
        )
    }

    /// SplitMix64's finaliser (Steele, Lea, Flood 2014): neighbouring seeds give unrelated ones.
    private static func mixed(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
