import Core
import KVCache
import Model
import Sampling
import Scheduling

/// Everything the engine thread owns, and `step()`: one transaction of plan, run, sample, update.
///
/// Confined to one thread, and told the time instead of asking for it, so that tests drive it by hand.
struct StepLoop {
    private let model: any LanguageModel
    private let pool: BlockPool
    private var scheduler: Scheduler
    private var requests: [RequestID: ActiveRequest] = [:]
    private(set) var sessions: SessionStore
    private let directory: SessionDirectory
    private var sampler = Sampler()
    private var outbox: Outbox

    init(
        runtime: ModelRuntime,
        limits: SchedulerLimits,
        sessions: SessionStore,
        directory: SessionDirectory,
        outbox: Outbox
    ) {
        let pool = runtime.pool
        precondition(limits.poolBlocks <= pool.blockCount && limits.blockTokens == pool.layout.blockTokens)
        model = runtime.model
        self.pool = pool
        self.scheduler = Scheduler(limits: limits)
        self.sessions = sessions
        self.directory = directory
        self.outbox = outbox
    }

    var isIdle: Bool { scheduler.isIdle }

    // MARK: Requests come and go

    mutating func submit(_ request: GenerationRequest, to receiver: any GenerationReceiver) {
        precondition(requests[request.id] == nil, "request \(request.id) was submitted twice")
        do {
            try scheduler.enqueue(
                ScheduledRequest(
                    id: request.id,
                    promptTokens: request.prompt.count,
                    maxTokens: request.maxTokens,
                    chains: request.chains,
                    promptLogprobs: request.promptLogprobs
                )
            )
            requests[request.id] = ActiveRequest(request: request, receiver: receiver)
        } catch {
            outbox.add(.failed(error), for: receiver)
        }
    }

    /// Refuses a request without looking at it.
    mutating func refuse(_ failure: GenerationFailure, receiver: any GenerationReceiver) {
        outbox.add(.failed(failure), for: receiver)
    }

    /// Stops a request wherever it is; its session keeps what was computed.
    mutating func cancel(_ id: RequestID, now: ContinuousClock.Instant) {
        guard let request = requests.removeValue(forKey: id) else { return }
        scheduler.remove(id)
        release(request, now: now)
    }

    /// Ends everything at once.
    mutating func failAll(_ failure: GenerationFailure, now: ContinuousClock.Instant) {
        for (id, request) in requests {
            outbox.add(.failed(failure), for: request.receiver)
            cancel(id, now: now)
        }
    }

    /// Sends what was decided since the last step. A step does so by itself.
    mutating func flush() {
        outbox.send()
    }

    // MARK: The step

    /// Admits what fits, computes one batch, draws the tokens and tells everybody. Does nothing when nothing runs.
    mutating func step(now: ContinuousClock.Instant) {
        for expired in sessions.removeExpired(now: now) { forget(expired) }
        for (id, chains, reason) in scheduler.admit(now: now) { start(id, chains: chains, reason: reason, now: now) }
        let plan = scheduler.plan()
        guard !plan.isEmpty else { return outbox.send() }
        let logits = model.forward(batch(for: plan), cache: pool)
        scheduler.advance(plan)
        var row = 0
        for part in plan.parts {
            consume(part, logits, firstRow: row, now: now)
            row += part.logitsRows
        }
        outbox.send()
    }

    /// Gives an admitted request the KV that its session has for it, if any.
    private mutating func start(_ id: RequestID, chains: Int, reason: ChainReason, now: ContinuousClock.Instant) {
        guard let request = requests[id] else { return }
        var cached = 0
        if let session = session(for: request.request, now: now) {
            // The prompt's last token always runs: it gives the first logits.
            cached = min(
                commonPrefix(session.tokens, request.tokens),
                session.table.tokenCount,
                request.tokens.count - 1
            )
            var table = pool.fork(session.table)
            pool.truncate(&table, to: cached)
            request.table = table
            scheduler.setCached(cached, for: id)
        }
        outbox.add(
            .admitted(Admission(cachedTokens: cached, chains: chains, reason: reason)),
            for: request.receiver
        )
    }

    private mutating func session(
        for request: GenerationRequest,
        now: ContinuousClock.Instant
    ) -> SessionStore.Session? {
        // Log probabilities of the prompt need its logits, which no cache holds.
        guard let id = request.sessionID, !request.promptLogprobs else { return nil }
        return sessions.use(id, now: now)
    }

    /// The plan with its tokens and blocks.
    private mutating func batch(for plan: StepPlan) -> Batch {
        Batch(
            segments: plan.parts.map { part in
                guard let request = requests[part.id] else { preconditionFailure("\(part.id) is planned but unknown") }
                makeRoom(for: part.count, in: &request.table)
                return Segment(
                    tokens: Array(request.tokens[part.start..<part.start + part.count]),
                    start: part.start,
                    blocks: request.table.blocks,
                    chains: part.chains,
                    logits: part.logits.modelValue
                )
            }
        )
    }

    /// Appends to a table, forgetting idle sessions while blocks are missing. The scheduler reserved the worst case of
    /// every running request, so what idle sessions hold is always enough.
    private mutating func makeRoom(for tokens: Int, in table: inout BlockTable) {
        while !pool.append(tokens, to: &table) {
            guard let victim = sessions.removeLeastRecentlyUsed() else {
                preconditionFailure("no KV block left for an admitted request: the scheduler's reservation is wrong")
            }
            forget(victim)
        }
    }

    // MARK: Tokens

    /// Takes the logits of one part, which begin at row `firstRow`.
    private mutating func consume(
        _ part: StepPlan.Part,
        _ logits: Logits,
        firstRow: Int,
        now: ContinuousClock.Instant
    ) {
        guard let request = requests[part.id] else { return }
        let end = part.start + part.count
        if part.logits == .all { collectPromptLogprobs(request, part, logits, firstRow: firstRow) }
        guard end == request.tokens.count else { return }
        if request.request.promptLogprobs && request.generatedCount == 0 {
            outbox.add(.promptLogprobs(request.promptLogprobs), for: request.receiver)
        }
        var ending: FinishReason?
        if request.request.maxTokens == 0 {
            ending = .length
        } else {
            ending = generate(request, part, logits[firstRow + part.logitsRows - 1])
        }
        if let ending {
            outbox.add(.finished(ending), for: request.receiver)
            requests[part.id] = nil
            scheduler.finish(part.id, now: now)
            release(request, now: now)
        } else {
            scheduler.appended(part.id)
        }
    }

    /// Draws the next token; returns why the answer ends with it, if it does.
    private mutating func generate(
        _ request: ActiveRequest,
        _ part: StepPlan.Part,
        _ logits: UnsafeBufferPointer<Float>
    ) -> FinishReason? {
        let wish = request.request
        let token = sampler.sample(logits, with: wish.sampling, index: request.generatedCount)
        request.tokens.append(token)
        let logprobs = wish.logprobs.map { tokenLogprobs(logits, chosen: token, count: $0) }
        outbox.add(.token(GeneratedToken(id: token, chains: part.chains, logprobs: logprobs)), for: request.receiver)
        if wish.endTokens.contains(token) { return .stop }
        return request.generatedCount == wish.maxTokens ? .length : nil
    }

    /// Row `r` of a prefill part holds the distribution of the prompt's token `start + r + 1`.
    private func collectPromptLogprobs(
        _ request: ActiveRequest,
        _ part: StepPlan.Part,
        _ logits: Logits,
        firstRow: Int
    ) {
        let wish = request.request
        for row in 0..<part.count where part.start + row + 1 < wish.prompt.count {
            request.promptLogprobs.append(
                tokenLogprobs(
                    logits[firstRow + row],
                    chosen: wish.prompt[part.start + row + 1],
                    count: wish.logprobs ?? 0
                )
            )
        }
    }

    // MARK: Blocks

    /// Gives a request's blocks to its session, or back to the pool.
    private mutating func release(_ request: ActiveRequest, now: ContinuousClock.Instant) {
        var table = request.table
        guard let id = request.request.sessionID, !table.isEmpty else { return pool.release(&table) }
        directory.set(id, request.tokens)
        for released in sessions.store(id, tokens: request.tokens, table: table, now: now) { forget(released) }
    }

    private func forget(_ released: SessionStore.Released) {
        var table = released.table
        pool.release(&table)
        if released.isForgotten { directory.remove(released.id) }
    }
}

extension StepPlan.Part {
    /// Rows of logits that the part asks for.
    fileprivate var logitsRows: Int {
        switch logits {
        case .none: 0
        case .last: 1
        case .all: count
        }
    }
}

extension StepPlan.Logits {
    fileprivate var modelValue: Segment.Logits {
        switch self {
        case .none: .none
        case .last: .last
        case .all: .all
        }
    }
}
