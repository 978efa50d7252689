/// How a token is drawn from the logits of one position. First the logits are adjusted: repetition penalty, presence and
/// frequency penalties, bias. Then the tokens that may be drawn become fewer: temperature, min-p, top-k, top-p, typical-p,
/// in this order. The defaults change nothing but for the draw itself.
public struct SamplingParameters: Sendable, Hashable {
    /// Divides the logits. 0 is greedy: the token with the highest logit, the lowest id among equals.
    public var temperature: Float
    /// Keeps the `topK` most likely tokens. 0 keeps all.
    public var topK: Int
    /// Keeps the smallest set of most likely tokens whose probability reaches `topP`. 1 keeps all.
    public var topP: Float
    /// Keeps tokens at least `minP` times as likely as the most likely one. 0 keeps all.
    public var minP: Float
    /// Keeps the tokens whose information is nearest to what is expected, until their probability reaches `typicalP`. 1
    /// keeps all.
    public var typicalP: Float
    /// Divides the positive logits of tokens that the prompt or the answer has, and multiplies the negative ones. Above 0;
    /// 1 changes nothing.
    public var repetitionPenalty: Float
    /// Taken off the logit of a token that the answer has.
    public var presencePenalty: Float
    /// Taken off the logit of a token for each time that the answer has it.
    public var frequencyPenalty: Float
    /// Added to the logits of these tokens, which the vocabulary has.
    public var bias: [TokenID: Float]
    /// The seed of this request's random numbers. The same seed, prompt and chain counts give the same answer.
    public var seed: UInt64

    public init(
        temperature: Float = 1,
        topK: Int = 0,
        topP: Float = 1,
        minP: Float = 0,
        typicalP: Float = 1,
        repetitionPenalty: Float = 1,
        presencePenalty: Float = 0,
        frequencyPenalty: Float = 0,
        bias: [TokenID: Float] = [:],
        seed: UInt64
    ) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.typicalP = typicalP
        self.repetitionPenalty = repetitionPenalty
        self.presencePenalty = presencePenalty
        self.frequencyPenalty = frequencyPenalty
        self.bias = bias
        self.seed = seed
    }
}
