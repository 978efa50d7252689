import Core

/// Decides which tokens of which requests the next step computes, and with how many chains. A pure value: it does no I/O,
/// knows no clock but the times it is told, and holds counts instead of tokens.
///
/// One engine step is one round through it:
/// ```
/// schedule(now:room:) -> (the model runs) -> advance(plan) -> appended(id, now:) or finish(id, ...) -> observe(...)
/// ```
///
/// Policy, in this order (`../../docs/latency-budgets.md` explains it to users):
/// 1. Places go by priority, then by even shares among clients, then by deadline. A place needs blocks for the tokens
///    known now; if the pool runs dry later, the request that came last gives its blocks up and waits again.
/// 2. Every decoding request gets its token in every step. What is left of the step's tokens goes to prefills (chunked
///    prefill), the most urgent first. Where requests have little time, steps have fewer tokens.
/// 3. Every row gets the least chains its client allows, then more as long as the step leaves every request its pace.
///
/// Under overload requests shrink first, then they queue, and only then are they refused.
public struct Scheduler: Sendable {
    public let limits: SchedulerLimits
    public var policy: ChainPolicy
    public internal(set) var cost: CostModel
    private var timeline = Timeline()
    var waiting = WaitingQueue()
    /// Those that have a place, in the order in which their prompts are read: the same as in the queue.
    var batch: [TrackedRequest] = []
    /// The most tokens of a step, for requests like those that came lately.
    private(set) var chunk: Int
    /// Who is in `batch`, place by place. Numbers side by side are looked through faster than one is hashed.
    private var ids: [RequestID] = []
    /// Where the latest request was. What a step tells of its requests comes in the order of their places.
    private var latestPlace = 0
    private var serviceTime = ServiceTime()
    var lengths = AnswerLength()
    var load = OfferedLoad()
    private var arrivals = 0
    public private(set) var preemptions = 0

    public init(limits: SchedulerLimits, cost: CostModel? = nil, policy: ChainPolicy = .elastic(ElasticRules())) {
        self.limits = limits
        self.policy = policy
        self.cost = cost ?? .flat(chains: limits.chains)
        chunk = limits.stepTokens
    }

    public var queuedCount: Int { waiting.count }
    public var runningCount: Int { batch.count }
    public var isIdle: Bool { waiting.isEmpty && batch.isEmpty }

    /// Puts a calibrated cost model in the place of the one at hand.
    public mutating func calibrate(_ cost: CostModel) {
        precondition(cost.tiers.count == limits.chains)
        self.cost = cost
    }

    // MARK: Requests come and go

    /// Puts a request into the queue, or refuses it: `tooLarge` when it could never run, `unattainable` when its budget
    /// could not be met by an idle server, `overloaded` when the queue is full or leaves it too little time.
    public mutating func enqueue(_ request: ScheduledRequest, now: ContinuousClock.Instant) throws(GenerationFailure) {
        guard blocks(for: request.kvTokens) <= limits.poolBlocks else {
            throw .tooLarge(neededTokens: request.kvTokens, poolTokens: limits.poolBlocks * limits.blockTokens)
        }
        let now = timeline.seconds(at: now)
        let tracked = TrackedRequest(
            request,
            order: arrivals,
            arrival: timeline.seconds(at: request.arrival),
            available: limits.chains
        )
        // What is refused was offered too.
        load.observe(seconds: workSeconds(tracked), within: tracked.limits.usableWhole, at: now)
        chunk = stepTokens(within: load.horizon)
        // What can start at once does not count as queued.
        let room = limits.queued + max(0, limits.running - batch.count)
        guard waiting.count < room else {
            throw .overloaded(retryAfter: serviceTime.wait(behind: waiting.count + 1, parallel: limits.running))
        }
        try judge(tracked, request.budget, now: now)
        waiting.insert(tracked)
        arrivals += 1
    }

    /// Changes what a request wants, from its next token on. Returns whether it is here.
    @discardableResult
    public mutating func change(_ id: RequestID, to change: RequestChange) -> Bool {
        let received = timeline.seconds(at: change.received)
        if let place = place(of: id) {
            var request = leave(place)
            request.apply(change, received: received, available: limits.chains)
            join(request)
            return true
        }
        guard var request = waiting.remove(id) else { return false }
        request.apply(change, received: received, available: limits.chains)
        waiting.insert(request)
        return true
    }

    /// Where a request stands; nil when it is not here.
    public func status(of id: RequestID) -> RequestStatus? {
        let place = place(of: id)
        guard let request = place.map({ batch[$0] }) ?? waiting.requests.first(where: { $0.id == id })
        else { return nil }
        let bounds = request.bounds
        let chains = min(max(request.chains ?? bounds.upperBound, bounds.lowerBound), bounds.upperBound)
        return RequestStatus(
            phase: place == nil ? .queued : request.isPrefilling ? .prefill : .decode,
            chains: chains,
            promptTokens: request.promptTokens,
            generatedTokens: request.generated
        )
    }

    /// Takes out a request whose answer is complete.
    ///
    /// - Parameter endedItself: by an end token or a stop string, and not for want of tokens or time: its length says how
    ///   long answers become.
    public mutating func finish(_ id: RequestID, endedItself: Bool, now: ContinuousClock.Instant) {
        if let place = place(of: id, near: latestPlace) {
            let request = batch[place]
            if let admitted = request.admitted { serviceTime.observe(timeline.seconds(at: now) - admitted) }
            lengths.observe(request.generated, isComplete: endedItself)
        }
        remove(id)
    }

    /// Takes a request out, wherever it is. Returns whether it was there.
    @discardableResult
    public mutating func remove(_ id: RequestID) -> Bool {
        if let place = place(of: id, near: latestPlace) {
            forgetClient(leave(place).client)
            return true
        }
        guard let removed = waiting.remove(id) else { return false }
        forgetClient(removed.client)
        return true
    }

    private mutating func forgetClient(_ client: ClientID) {
        guard !batch.contains(where: { $0.client == client }) else { return }
        waiting.keepCounters { name in batch.contains { $0.client == name } }
    }

    /// Where a running request is in `batch`; nil when it is not there.
    ///
    /// - Parameter guess: it may be here, or one behind.
    private func place(of id: RequestID, near guess: Int = 0) -> Int? {
        if guess < ids.count && ids[guess] == id { return guess }
        if guess + 1 < ids.count && ids[guess + 1] == id { return guess + 1 }
        return ids.firstIndex(of: id)
    }

    /// Takes a request out of the batch.
    private mutating func leave(_ place: Int) -> TrackedRequest {
        ids.remove(at: place)
        return batch.remove(at: place)
    }

    /// Puts a request into the batch.
    private mutating func join(_ request: TrackedRequest) {
        let place = batch.firstIndex { request.precedes($0) } ?? batch.count
        ids.insert(request.id, at: place)
        batch.insert(request, at: place)
    }

    // MARK: Steps

    /// Decides on the next step; its plan is empty when nothing runs.
    public mutating func schedule(now: ContinuousClock.Instant, room: inout some KVRoom) -> StepPlan {
        let now = timeline.seconds(at: now)
        var plan = StepPlan()
        expire(now: now, &plan)
        admit(now: now, room: &room, &plan)
        let shares = reserve(room: &room, &plan)
        assign(shares, now: now, &plan)
        return plan
    }

    /// Notes that the plan was run.
    public mutating func advance(_ plan: StepPlan) {
        var client: ClientID?, tokens = 0
        for part in plan.parts {
            guard let place = place(of: part.id, near: latestPlace) else { continue }
            latestPlace = place
            batch[place].advance(part)
            // One entry in the books for a run of requests of one client.
            if batch[place].client != client {
                if let client { waiting.charge(client, tokens: Double(tokens)) }
                (client, tokens) = (batch[place].client, 0)
            }
            tokens += part.count
        }
        if let client { waiting.charge(client, tokens: Double(tokens)) }
    }

    /// Learns how long a step of this shape took.
    public mutating func observe(_ shape: StepShape, seconds: Double) {
        cost.observe(shape, seconds: seconds)
    }

    /// Notes that a token was generated for a request, which the next step will feed back.
    public mutating func appended(_ id: RequestID, now: ContinuousClock.Instant) {
        guard let place = place(of: id, near: latestPlace) else { return }
        latestPlace = place
        batch[place].append { timeline.seconds(at: now) }
    }

    // MARK: Places

    /// Finds what has no time left; the caller finishes it.
    private mutating func expire(now: Double, _ plan: inout StepPlan) {
        for place in batch.indices {
            guard let cutOff = batch[place].limits.cutOff, cutOff <= now else { continue }
            plan.expired.append(batch[place].id)
        }
        plan.expired += waiting.expired(at: now)
    }

    /// Moves requests from the queue into the batch while there is room.
    private mutating func admit(now: Double, room: inout some KVRoom, _ plan: inout StepPlan) {
        guard !waiting.isEmpty else { return }
        let expired = Set(plan.expired)
        let cost = cost, chunk = chunk
        while batch.count < limits.running, !waiting.isEmpty {
            let gate = gate(now: now)
            let turn = waiting.next { request in
                let prefill = cost.prefillSeconds(request.missingPrompt, chunk: chunk)
                guard gate.admits(request, prefill: prefill, now: now) else { return false }
                return !expired.contains(request.id) && (request.leader == nil || !waitsForLeader(request))
            }
            guard let turn else { return }
            var next = waiting.take(turn)
            let cached = room.begin(next.id, known: next.known)
            let needed = blocks(for: next.known) - cached / limits.blockTokens + owedBlocks
            guard room.canTake(blocks: needed) || batch.isEmpty else {
                room.giveUp(next.id)
                waiting.insert(next)
                return
            }
            next.computed = cached
            let isResumed = next.admitted != nil
            if !isResumed { next.admitted = now }
            join(next)
            plan.started.append(.init(id: next.id, cachedTokens: cached, isResumed: isResumed))
        }
    }

    /// Blocks that the running requests will take before the newcomer's first token: the rest of their prompts, and one
    /// for the next token of each.
    private var owedBlocks: Int {
        batch.reduce(0) { $0 + max(1, blocks(for: $1.known) - blocks(for: $1.computed)) }
    }

    /// Samples of one prompt wait for the first of them to have computed it.
    func waitsForLeader(_ request: TrackedRequest) -> Bool {
        guard let leader = request.leader, let place = place(of: leader) else { return false }
        return batch[place].isPrefilling
    }

    /// A running request's share of the step.
    struct Share {
        /// Tokens to compute.
        var count = 0
        /// What it needs, in seconds a step; infinite: it has no limit. Zero: it is late.
        var pace = Double.infinity
    }

    /// Gives decoding requests a token each and prefills the rest of the step, with KV for all of them. Shares are by place,
    /// like the batch.
    private mutating func reserve(room: inout some KVRoom, _ plan: inout StepPlan) -> [Share] {
        let expired = Set(plan.expired)
        var budget = chunk
        var shares = [Share](repeating: Share(), count: batch.count)
        for prefills in [false, true] {
            // Who gives way is decided from the end, so the batch shrinks behind the index.
            var place = 0
            while place < batch.count && budget > 0 {
                let id = batch[place].id, missing = batch[place].missing
                guard !expired.contains(id), (missing > 1) == prefills, missing > 0 else {
                    place += 1
                    continue
                }
                let count = min(budget, missing)
                if room.reserve(id, count: batch[place].computed + count) {
                    shares[place].count = count
                    budget -= count
                    place += 1
                } else {
                    let victim = lastToKeep()
                    budget += shares.remove(at: victim).count
                    preempt(victim, room: &room, &plan)
                    if victim < place { place -= 1 }
                }
            }
        }
        return shares
    }

    /// The running request that gives way: of the lowest priority the one that came last.
    private func lastToKeep() -> Int {
        batch.indices.max {
            let a = batch[$0], b = batch[$1]
            return a.priority != b.priority
                ? a.priority > b.priority : a.order < b.order
        } ?? 0
    }

    private mutating func preempt(_ place: Int, room: inout some KVRoom, _ plan: inout StepPlan) {
        var victim = leave(place)
        room.giveUp(victim.id)
        victim.computed = 0
        waiting.insert(victim)
        preemptions += 1
        plan.started.removeAll { $0.id == victim.id }
        plan.preempted.append(victim.id)
    }

    // MARK: The size of a step

    /// Whoever comes during a step waits for its end, and so does everybody who decodes, however urgent. So reading prompts is to
    /// take a step at most this share of the time that requests have; but a quarter of the tokens it always may have, as small
    /// pieces cost more.
    private static let step = (ofHorizon: 0.02, least: 4)

    private func stepTokens(within horizon: Double) -> Int {
        let least = max(limits.running, limits.stepTokens / Self.step.least)
        var tokens = limits.stepTokens
        while tokens > least, cost.first.seconds(rows: tokens) > Self.step.ofHorizon * horizon { tokens /= 2 }
        return max(tokens, least)
    }

    func blocks(for tokens: Int) -> Int {
        (tokens + limits.blockTokens - 1) / limits.blockTokens
    }
}
