/// What the API asks of the engine. Calls return at once, from any thread.
public protocol GenerationService: Sendable {
    /// Queues a request. Its events come to `receiver`, in order, ending with `finished` or `failed`.
    func submit(_ request: GenerationRequest, to receiver: any GenerationReceiver)

    /// Stops a request within one step and frees what it held. No event follows once the engine has seen this;
    /// unknown ids are ignored, because a request may end while its cancellation is on the way.
    func cancel(_ id: RequestID)

    /// The tokens of a session, in order: the last prompt and what was generated. Most of them have their KV; a request
    /// that was cut short leaves fewer. Empty for an unknown session.
    func sessionTokens(_ id: String) -> [TokenID]
}

/// Takes the events of one request.
public protocol GenerationReceiver: AnyObject, Sendable {
    /// Called on the outbox queue, never on the engine thread and never twice at the same time for one receiver:
    /// the events of one or more steps, in order.
    func receive(_ events: [GenerationEvent])
}
