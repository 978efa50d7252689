import Core
import Dispatch
import KVCache
import Model
import Sampling
import Scheduling

/// Everything the engine thread owns, and `step()`: one transaction of plan, run, sample, update.
///
/// Confined to one thread, and told the time instead of asking for it, so that tests drive it by hand; only how long a step
/// took is measured, by the clock it is given.
struct StepLoop {
    private let model: any LanguageModel
    private(set) var scheduler: Scheduler
    private(set) var memory: KVMemory
    private var sampler = Sampler()
    private var outbox: Outbox
    /// Tells how long steps take; nil: nothing is learned from them.
    private let clock: (() -> ContinuousClock.Instant)?
    /// Gets sessions whose tokens changed.
    private let archive: SessionArchive?
    /// Those that it has not got yet.
    private var changedSessions: [String] = []
    private let observer: (any StepObserver)?

    init(
        runtime: ModelRuntime,
        scheduler: Scheduler,
        memory: KVMemory,
        outbox: Outbox,
        archive: SessionArchive? = nil,
        observer: (any StepObserver)? = nil,
        clock: (() -> ContinuousClock.Instant)? = nil
    ) {
        let limits = scheduler.limits
        precondition(limits.poolBlocks <= runtime.pool.blockCount)
        precondition(limits.blockTokens == runtime.pool.layout.blockTokens)
        precondition(limits.chains == runtime.model.chainCount)
        model = runtime.model
        self.scheduler = scheduler
        self.memory = memory
        self.outbox = outbox
        self.archive = archive
        self.observer = observer
        self.clock = clock
    }

    var isIdle: Bool { scheduler.isIdle }

    // MARK: Requests come and go

    mutating func submit(
        _ request: GenerationRequest,
        to receiver: any GenerationReceiver,
        now: ContinuousClock.Instant
    ) {
        precondition(memory.requests[request.id] == nil, "request \(request.id) was submitted twice")
        if let session = request.sessionID { memory.touch(session, now: now) }
        do {
            try scheduler.enqueue(ScheduledRequest(request), now: now)
            memory.requests[request.id] = ActiveRequest(request: request, receiver: receiver)
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
        guard memory.requests[id] != nil else { return }
        scheduler.remove(id)
        release(id, now: now)
    }

    /// The same for somebody who asked for it while so many steps had still to end.
    mutating func cancel(_ id: RequestID, now: ContinuousClock.Instant, afterSteps steps: Int) {
        guard memory.requests[id] != nil else { return }
        cancel(id, now: now)
        observer?.observeCancel(afterSteps: steps)
    }

    /// Changes what a request wants, and tells where it stands then; nil when it is not here.
    mutating func change(
        _ id: RequestID,
        to change: RequestChange,
        reply: @escaping @Sendable (RequestStatus?) -> Void
    ) {
        scheduler.change(id, to: change)
        outbox.add(scheduler.status(of: id), to: reply)
    }

    /// Puts what has come of a session from a slower tier into the pool.
    mutating func arriving(_ event: ArrivingSnapshot.Event) {
        memory.arriving(event)
    }

    /// Puts a session that came back from a slower tier into the pool.
    mutating func restore(_ restored: RestoredSession, session: String, now: ContinuousClock.Instant) {
        memory.restore(restored, id: session, now: now)
    }

    /// Writes some of those sessions that could not be written before, a few at a time, as each is a copy of its blocks.
    func saveSomeUnsaved() {
        for id in archive?.takeUnsaved(most: 4) ?? [] { saveAgain(id) }
    }

    /// Writes all sessions that could not be written before, and waits for each.
    func saveAllUnsaved(until deadline: DispatchTime) {
        guard let archive, archive.flush(until: deadline) else { return }
        for id in archive.takeUnsaved(most: .max, evenIfFailing: true) {
            saveAgain(id)
            guard archive.flush(until: deadline) else { return }
        }
    }

    private func saveAgain(_ id: String) {
        guard let session = memory.sessions[id] else { return }
        archive?.save(id, session, from: memory.pool, isLate: true)
    }

    mutating func removeSession(_ id: String) {
        memory.removeSession(id)
    }

    /// Ends everything at once.
    mutating func failAll(_ failure: GenerationFailure, now: ContinuousClock.Instant) {
        for (id, request) in memory.requests {
            outbox.add(.failed(failure), for: request.receiver)
            cancel(id, now: now)
        }
    }

    /// Sends what was decided since the last step, then archives the sessions that it changed. A step does so by itself.
    mutating func flush() {
        outbox.send()
        // Behind the events, as copying a session's blocks takes as long as a short step.
        for id in changedSessions {
            if let session = memory.sessions[id] { archive?.save(id, session, from: memory.pool) }
        }
        changedSessions = []
    }

    // MARK: The step

    /// Admits what fits, computes one batch, draws the tokens and tells everybody. Does nothing when nothing runs.
    mutating func step(now: ContinuousClock.Instant) {
        memory.removeExpiredSessions(now: now)
        let begin = clock?()
        let plan = scheduler.schedule(now: now, room: &memory)
        let planned = clock?()
        for start in plan.started where !start.isResumed {
            guard let request = memory.requests[start.id] else { continue }
            request.cachedTokens = start.cachedTokens
            request.queueTime = now - request.request.arrival
        }
        var report = report(of: plan, now: now)
        if let begin, let planned { report?.planSeconds = (planned - begin) / .seconds(1) }
        for id in plan.expired { expire(id, now: now) }
        defer { flush() }
        guard !plan.isEmpty else { return tell(report) }
        let shape = plan.shape(chains: model.chainCount)
        let logits = model.forward(batch(for: plan), cache: memory.pool)
        scheduler.advance(plan)
        var row = 0
        let end = clock?() ?? now
        for part in plan.parts {
            consume(part, logits, firstRow: row, now: end)
            row += part.logitsRows
        }
        if let clock {
            report?.predictedSeconds = scheduler.cost.seconds(shape)
            report?.seconds = (clock() - now) / .seconds(1)
            scheduler.observe(shape, seconds: (clock() - now) / .seconds(1))
        }
        tell(report)
    }

    /// What is known of a step before it runs; nil when nobody asks.
    private func report(of plan: StepPlan, now: ContinuousClock.Instant) -> StepReport? {
        guard observer != nil else { return nil }
        var report = StepReport(chains: model.chainCount)
        for part in plan.parts {
            let drawn = part.logits != .none && part.start + part.count == memory.requests[part.id]?.tokens.count
            report.prefillTokens += drawn ? part.count - 1 : part.count
            if drawn { report.chainTokens[part.chains - 1] += 1 }
        }
        for start in plan.started {
            guard let request = memory.requests[start.id] else { continue }
            guard !start.isResumed else {
                report.recomputedTokens += request.tokens.count - start.cachedTokens
                continue
            }
            report.promptTokens += request.request.prompt.count
            report.cachedTokens += start.cachedTokens
            report.queueSeconds.append((now - request.request.arrival) / .seconds(1))
        }
        report.preemptions = plan.preempted.count
        return report
    }

    /// Adds how full the house is, and hands the report over.
    private func tell(_ report: StepReport?) {
        guard let observer, var report else { return }
        report.waiting = scheduler.queuedCount
        report.running = scheduler.runningCount
        report.usedBlocks = memory.runningBlocks
        report.poolBlocks = memory.pool.blockCount
        report.cachedBlocks = report.poolBlocks - memory.pool.freeBlocks - report.usedBlocks
        report.evictions = memory.pool.evictions
        report.sessions = memory.sessions.count
        observer.observe(report)
    }

    /// The plan with its tokens and blocks.
    private func batch(for plan: StepPlan) -> Batch {
        Batch(
            segments: plan.parts.map { part in
                guard let request = memory.requests[part.id] else {
                    preconditionFailure("\(part.id) is planned but unknown")
                }
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

    // MARK: Tokens

    /// Takes the logits of one part, which begin at row `firstRow`.
    private mutating func consume(
        _ part: StepPlan.Part,
        _ logits: Logits,
        firstRow: Int,
        now: ContinuousClock.Instant
    ) {
        guard let request = memory.requests[part.id] else { return }
        let end = part.start + part.count
        memory.publish(request, computed: end)
        if part.logits == .all { collectPromptLogprobs(request, part, logits, firstRow: firstRow) }
        guard end == request.tokens.count else { return }
        announce(request, chains: part.chains, reason: part.reason)
        if request.needsPromptLogits { outbox.add(.promptLogprobs(request.promptLogprobs), for: request.receiver) }
        let ending =
            request.request.maxTokens == 0
            ? .length : generate(request, part, logits[firstRow + part.logitsRows - 1])
        if let ending {
            finish(request, ending, now: now)
        } else {
            scheduler.appended(part.id, now: now)
        }
    }

    /// Tells once that a request has its place; with its first token, for its chain count is known then.
    private mutating func announce(_ request: ActiveRequest, chains: Int, reason: ChainReason) {
        guard !request.isAnnounced else { return }
        request.isAnnounced = true
        let admission = Admission(
            cachedTokens: request.cachedTokens,
            chains: chains,
            reason: reason,
            queueTime: request.queueTime
        )
        outbox.add(.admitted(admission), for: request.receiver)
    }

    /// Draws the next token; returns why the answer ends with it, if it does.
    private mutating func generate(
        _ request: ActiveRequest,
        _ part: StepPlan.Part,
        _ logits: UnsafeBufferPointer<Float>
    ) -> FinishReason? {
        let wish = request.request
        let token = sampler.sample(
            logits,
            with: wish.sampling,
            adjustment: request.adjustment,
            index: request.generatedCount
        )
        request.tokens.append(token)
        request.adjustment?.append(token)
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

    // MARK: Ends

    /// Ends an answer whose time is used up, wherever it is.
    private mutating func expire(_ id: RequestID, now: ContinuousClock.Instant) {
        guard let request = memory.requests[id], let status = scheduler.status(of: id) else { return }
        announce(request, chains: status.chains, reason: .budget)
        finish(request, .deadline, now: now)
    }

    private mutating func finish(_ request: ActiveRequest, _ reason: FinishReason, now: ContinuousClock.Instant) {
        outbox.add(.finished(reason), for: request.receiver)
        scheduler.finish(request.request.id, endedItself: reason == .stop, now: now)
        release(request.request.id, now: now)
    }

    private mutating func release(_ id: RequestID, now: ContinuousClock.Instant) {
        guard let session = memory.end(id, now: now), archive != nil else { return }
        changedSessions.append(session)
    }
}

extension ScheduledRequest {
    fileprivate init(_ request: GenerationRequest) {
        self.init(
            id: request.id,
            promptTokens: request.prompt.count,
            maxTokens: request.maxTokens,
            chains: request.chains,
            promptLogprobs: request.promptLogprobs,
            budget: request.budget,
            arrival: request.arrival,
            priority: request.priority,
            client: request.client,
            leader: request.leader
        )
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
