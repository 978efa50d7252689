import Core

/// A request on its way through the scheduler: waiting for a place, running, or waiting again after it was preempted.
struct TrackedRequest: Sendable {
    var request: ScheduledRequest
    /// Its place in the order of arrival.
    let order: Int
    /// Tokens known: the prompt and what was generated.
    var known: Int
    /// Tokens whose KV is there; 0 while it waits.
    var computed = 0
    /// The chain count of its latest token; nil before the first.
    var chains: Int?
    /// When it first got a place.
    var admitted: ContinuousClock.Instant?
    /// When its first token was there.
    var firstToken: ContinuousClock.Instant?

    init(request: ScheduledRequest, order: Int) {
        self.request = request
        self.order = order
        known = request.promptTokens
    }

    /// Tokens generated.
    var generated: Int { known - request.promptTokens }

    /// Tokens that are known and have no KV yet. 1 is a decoding step, more a prefill.
    var missing: Int { known - computed }

    var isPrefilling: Bool { missing > 1 || generated == 0 }
}
