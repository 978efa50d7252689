import Core
import KVCache

/// A request as the engine thread holds it: what the scheduler does not need to know. A class, so that a step changes it
/// in place; it never leaves the engine thread.
final class ActiveRequest {
    let request: GenerationRequest
    let receiver: any GenerationReceiver
    /// The prompt and what was generated.
    var tokens: [TokenID]
    /// The blocks that hold the KV of the first tokens.
    var table = BlockTable()
    /// One entry per prompt token whose log probability is known, when the request wants them.
    var promptLogprobs: [TokenLogprobs?] = [nil]

    init(request: GenerationRequest, receiver: any GenerationReceiver) {
        self.request = request
        self.receiver = receiver
        tokens = request.prompt
        tokens.reserveCapacity(request.prompt.count + request.maxTokens)
    }

    var generatedCount: Int { tokens.count - request.prompt.count }
}
