/// How a token is drawn from the logits of one position: temperature, min-p, top-k, top-p, in this order.
public struct SamplingParameters: Sendable, Hashable {
    /// Divides the logits. 0 is greedy: the token with the highest logit, the lowest id among equals.
    public var temperature: Float
    /// Keeps the `topK` most likely tokens. 0 keeps all.
    public var topK: Int
    /// Keeps the smallest set of most likely tokens whose probability reaches `topP`. 1 keeps all.
    public var topP: Float
    /// Keeps tokens at least `minP` times as likely as the most likely one. 0 keeps all.
    public var minP: Float
    /// The seed of this request's random numbers. The same seed, prompt and chain counts give the same answer.
    public var seed: UInt64

    public init(temperature: Float = 1, topK: Int = 0, topP: Float = 1, minP: Float = 0, seed: UInt64) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.seed = seed
    }
}
