import Core

/// A request on its way through the scheduler: waiting for a place, running, or waiting again after it was preempted.
///
/// Every step looks at every request, so this is plain numbers. Times are seconds on the scheduler's ``Timeline``.
struct TrackedRequest: Sendable {
    let id: RequestID
    /// Its place in the order of arrival.
    let order: Int
    let promptTokens: Int
    let maxTokens: Int
    var selection: ChainSelection
    /// The chain counts that the client allows.
    var bounds: ClosedRange<Int>
    let promptLogprobs: Bool
    var limits: TimeLimits
    let priority: Int
    let leader: RequestID?
    let client: ClientID

    /// Tokens known: the prompt and what was generated.
    var known: Int
    /// Tokens whose KV is there; 0 while it waits.
    var computed = 0
    /// The chain count of its latest token; nil before the first.
    var chains: Int?
    /// When it first got a place.
    var admitted: Double?
    /// When its first token was there.
    var firstToken: Double?

    /// - Parameters:
    ///   - arrival: what its budget counts from.
    ///   - available: chains of the model.
    init(_ request: ScheduledRequest, order: Int, arrival: Double, available: Int) {
        id = request.id
        self.order = order
        promptTokens = request.promptTokens
        maxTokens = request.maxTokens
        selection = request.chains
        bounds = request.chains.scheduled(available: available)
        promptLogprobs = request.promptLogprobs
        limits = TimeLimits(request.budget, start: arrival)
        priority = request.priority
        leader = request.leader
        client = ClientID(request.client)
        known = request.promptTokens
    }

    /// - Parameter received: what a new budget counts from.
    mutating func apply(_ change: RequestChange, received: Double, available: Int) {
        if let chains = change.chains {
            selection = chains
            bounds = chains.scheduled(available: available)
        }
        if let budget = change.budget { limits = TimeLimits(budget, start: received) }
    }

    /// Whether it goes before another: by priority, then by deadline, then by arrival.
    func precedes(_ other: TrackedRequest) -> Bool {
        if priority != other.priority { return priority > other.priority }
        let mine = limits.due, theirs = other.limits.due
        return mine != theirs ? mine < theirs : order < other.order
    }

    /// When its whole answer was promised; nil without a limit that is more than a wish.
    var due: Double? { limits.isBestEffort ? nil : limits.usableWhole.map { limits.start + $0 } }

    /// Notes that a part of it was run.
    mutating func advance(_ part: StepPlan.Part) {
        computed = part.start + part.count
        if part.logits != .none { chains = part.chains }
    }

    /// Notes that a token was generated.
    mutating func append(at now: () -> Double) {
        known += 1
        if firstToken == nil { firstToken = now() }
    }

    /// Tokens generated.
    var generated: Int { known - promptTokens }

    /// Tokens that are known and have no KV yet. 1 is a decoding step, more a prefill.
    var missing: Int { known - computed }

    var isPrefilling: Bool { missing > 1 || generated == 0 }
}

extension ChainSelection {
    /// The chain counts allowed on a model of `available` chains; all of them when the selection fits none.
    func scheduled(available: Int) -> ClosedRange<Int> { bounds(available: available) ?? 1...available }
}
