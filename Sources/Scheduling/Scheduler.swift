import Core
import DequeModule

/// Decides which tokens of which requests the next step computes. A pure value: it does no I/O, knows no clock but the
/// times it is told, and holds counts instead of tokens.
///
/// One engine step is one round through it:
/// ```
/// admit(now:) -> setCached(...) -> plan() -> (the model runs) -> advance(plan) -> appended(id) or finish(id, now:)
/// ```
///
/// Policy: first come, first served. A request is admitted when there is a place in the batch and the pool has blocks
/// for its worst case, so that admitted work never runs out of KV. Every decoding request gets its token in every
/// step; what is left of the step's token budget goes to prefills in order of arrival (chunked prefill).
public struct Scheduler: Sendable {
    public let limits: SchedulerLimits
    private var waiting: Deque<ScheduledRequest> = []
    private var batch: [RunningRequest] = []
    private var reservedBlocks = 0
    private var serviceTime = ServiceTime()

    public init(limits: SchedulerLimits) {
        self.limits = limits
    }

    public var queuedCount: Int { waiting.count }
    public var isIdle: Bool { waiting.isEmpty && batch.isEmpty }

    // MARK: Requests come and go

    /// Puts a request at the end of the queue, or refuses it: `tooLarge` when it could never run, `overloaded` when
    /// the queue is full.
    public mutating func enqueue(_ request: ScheduledRequest) throws(GenerationFailure) {
        guard blocks(for: request) <= limits.poolBlocks else {
            throw .tooLarge(neededTokens: request.kvTokens, poolTokens: limits.poolBlocks * limits.blockTokens)
        }
        // What can start at once does not count as queued.
        let places = limits.queued + max(0, limits.running - batch.count)
        guard waiting.count < places else {
            throw .overloaded(retryAfter: serviceTime.wait(behind: waiting.count + 1, parallel: limits.running))
        }
        waiting.append(request)
    }

    /// Moves requests from the queue into the batch while there is room, and tells which and with what chain count.
    public mutating func admit(now: ContinuousClock.Instant) -> [(id: RequestID, chains: Int, reason: ChainReason)] {
        var admitted: [(id: RequestID, chains: Int, reason: ChainReason)] = []
        while batch.count < limits.running, let next = waiting.first,
            reservedBlocks + blocks(for: next) <= limits.poolBlocks
        {
            waiting.removeFirst()
            let (chains, reason) = chooseChains(for: next)
            reservedBlocks += blocks(for: next)
            batch.append(
                RunningRequest(
                    request: next,
                    blocks: blocks(for: next),
                    admitted: now,
                    known: next.promptTokens,
                    chains: chains
                )
            )
            admitted.append((next.id, chains, reason))
        }
        return admitted
    }

    /// Tells how many of an admitted request's prompt tokens have their KV already.
    ///
    /// - Precondition: fewer than the prompt has: its last token must run to give the first logits.
    public mutating func setCached(_ tokens: Int, for id: RequestID) {
        guard let index = batch.firstIndex(where: { $0.request.id == id }) else { return }
        precondition(tokens >= 0 && tokens < batch[index].request.promptTokens)
        batch[index].computed = tokens
    }

    /// Takes a running request out whose answer is complete.
    public mutating func finish(_ id: RequestID, now: ContinuousClock.Instant) {
        guard let running = batch.first(where: { $0.request.id == id }) else { return }
        serviceTime.observe((now - running.admitted) / .seconds(1))
        remove(id)
    }

    /// Takes a request out, wherever it is. Returns whether it was there.
    @discardableResult
    public mutating func remove(_ id: RequestID) -> Bool {
        if let index = batch.firstIndex(where: { $0.request.id == id }) {
            let removed = batch.remove(at: index)
            reservedBlocks -= removed.blocks
            return true
        }
        if let index = waiting.firstIndex(where: { $0.id == id }) {
            waiting.remove(at: index)
            return true
        }
        return false
    }

    // MARK: Steps

    /// What the next step computes; empty when nothing runs.
    public func plan() -> StepPlan {
        var budget = limits.stepTokens
        var parts: [StepPlan.Part] = []
        parts.reserveCapacity(batch.count)
        for running in batch where !running.isPrefilling && running.computed < running.known {
            parts.append(part(of: running, count: 1))
            budget -= 1
        }
        for running in batch where running.isPrefilling && budget > 0 {
            let count = min(budget, running.request.promptTokens - running.computed)
            parts.append(part(of: running, count: count))
            budget -= count
        }
        return StepPlan(parts: parts)
    }

    /// Notes that the plan was run.
    public mutating func advance(_ plan: StepPlan) {
        for part in plan.parts {
            guard let index = batch.firstIndex(where: { $0.request.id == part.id }) else { continue }
            batch[index].computed = part.start + part.count
        }
    }

    /// Notes that a token was generated for a request, which the next step will feed back.
    public mutating func appended(_ id: RequestID) {
        guard let index = batch.firstIndex(where: { $0.request.id == id }) else { return }
        batch[index].known += 1
    }

    private func part(of running: RunningRequest, count: Int) -> StepPlan.Part {
        let end = running.computed + count
        let logits: StepPlan.Logits =
            if running.request.promptLogprobs && running.isPrefilling {
                .all
            } else if end == running.known && running.request.maxTokens > 0 {
                .last
            } else {
                .none
            }
        return .init(
            id: running.request.id,
            start: running.computed,
            count: count,
            chains: running.chains,
            logits: logits
        )
    }

    private func blocks(for request: ScheduledRequest) -> Int {
        (request.kvTokens + limits.blockTokens - 1) / limits.blockTokens
    }

    /// The most chains that the client allows.
    private func chooseChains(for request: ScheduledRequest) -> (Int, ChainReason) {
        let most = request.chains.bounds(available: limits.chains)?.upperBound ?? limits.chains
        if case .fixed = request.chains { return (most, .requested) }
        return (most, .unconstrained)
    }
}
