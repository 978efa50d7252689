import Core
import KVCache
import Sampling

/// A request as the engine thread holds it: what the scheduler does not need to know. A class, so that a step changes it
/// in place; it never leaves the engine thread.
final class ActiveRequest {
    let request: GenerationRequest
    let receiver: any GenerationReceiver
    /// The prompt and what was generated.
    var tokens: [TokenID]
    /// The blocks that hold the KV of the first tokens.
    var table = BlockTable()
    /// Tokens whose KV was there when it got its place.
    var cachedTokens = 0
    /// From its arrival to its first place.
    var queueTime = Duration.zero
    /// Whether its admission was told.
    var isAnnounced = false
    /// One entry per prompt token whose log probability is known, when the request wants them.
    var promptLogprobs: [TokenLogprobs?] = [nil]
    /// Its rules about logits, after all that it generated.
    var adjustment: LogitAdjustment?

    init(request: GenerationRequest, receiver: any GenerationReceiver) {
        self.request = request
        self.receiver = receiver
        adjustment = LogitAdjustment(request)
        tokens = request.prompt
        tokens.reserveCapacity(request.prompt.count + min(request.maxTokens, 4096))
    }

    var generatedCount: Int { tokens.count - request.prompt.count }

    /// Whether the prompt's log probabilities are still to be computed: for that its logits are needed, and no cache has
    /// them.
    var needsPromptLogits: Bool { request.promptLogprobs && generatedCount == 0 }
}
