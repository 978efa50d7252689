/// What the API asks of the engine. Calls return at once, from any thread.
public protocol GenerationService: Sendable {
    /// Queues a request. Its events come to `receiver`, in order, ending with `finished` or `failed`.
    func submit(_ request: GenerationRequest, to receiver: any GenerationReceiver)

    /// Stops a request within one step and frees what it held. No event follows once the engine has seen this;
    /// unknown ids are ignored, because a request may end while its cancellation is on the way.
    func cancel(_ id: RequestID)

    /// Changes a request from its next token on.
    ///
    /// - Parameter reply: called once, on the outbox queue: where the request stands, with the change applied; nil when there
    ///   is no such request any more.
    func change(_ id: RequestID, to change: RequestChange, reply: @escaping @Sendable (RequestStatus?) -> Void)

    /// The tokens of a session, in order: the last prompt and what was generated. Most of them have their KV; a request
    /// that was cut short leaves fewer. Empty for an unknown session.
    ///
    /// May read the session's snapshot from a slower tier: to be called where blocking is allowed.
    ///
    /// - Parameter salt: that of the request; another one does not see the session.
    func sessionTokens(_ id: String, salt: String?) -> [TokenID]

    /// Every session that is kept, in any tier, by name. May block like ``sessionTokens(_:salt:)``.
    func sessions() -> [SessionSummary]

    /// Forgets a session in all tiers; requests of it that run go on. May block. False: there was none.
    func deleteSession(_ id: String) -> Bool
}

/// Takes the events of one request.
public protocol GenerationReceiver: AnyObject, Sendable {
    /// Called on the outbox queue, never on the engine thread and never twice at the same time for one receiver:
    /// the events of one or more steps, in order.
    func receive(_ events: [GenerationEvent])
}
