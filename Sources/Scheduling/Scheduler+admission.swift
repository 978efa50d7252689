// Who may join the batch, and the refusal of budgets that cannot be met.

import Core

extension Scheduler {
    /// What others take of the time may become longer than foreseen: there will be prompts of those who come later, and other
    /// programs. A short wait may become longer by a share of it. A long one only by some seconds, as in its course such things
    /// even out: unless many who come later have less time and overtake.
    private static let caution = (share: 0.3, seconds: 0.02)

    private func cautious(_ seconds: Double) -> Double {
        let share = Self.caution.share * seconds
        return seconds + min(share, load.unevenness * share + Self.caution.seconds)
    }

    func gate(now: Double) -> Gate {
        let stall = cost.prefillSeconds(batch.reduce(into: SilentRows()) { $0 += $1.missingPrompt }, chunk: chunk)
        var shape = StepShape(chains: limits.chains)
        for request in batch { shape.add(position: request.known, chains: request.bounds.lowerBound) }
        shape.add(position: meanPosition, chains: 1)
        var gate = Gate(step: cost.rowSeconds(shape))
        for request in batch {
            guard let due = request.limits.cutOff else { continue }
            let steps = stepsToFirst(request)
            let remaining = expectedRemaining(request) + (request.isPrefilling ? steps - 1 : 0)
            let pace = request.pace(now: now, remaining: remaining, stall: stall, stepsToFirst: steps)
            if case .limited(let seconds) = pace { gate.protect(pace: seconds, remaining: remaining, due: due) }
        }
        return gate
    }

    /// Seconds of the machine that a request still takes at its fewest chains, in full batches.
    func workSeconds(_ request: TrackedRequest) -> Double {
        let chains = request.bounds.lowerBound
        let token = cost.tokenSeconds(rows: limits.running, chains: chains, position: request.known)
        return prefillSeconds(request) + token * expectedRemaining(request)
    }

    /// Refuses a request whose budget cannot be met, by an idle server or behind the work that is here, and one that leaves others
    /// too little time.
    func judge(_ request: TrackedRequest, _ budget: LatencyBudget, now: Double) throws(GenerationFailure) {
        guard budget.isLimited, !budget.isBestEffort else { return }
        let prefill = prefillSeconds(request)
        let step = cost.decodeSeconds(rows: 1, chains: request.bounds.lowerBound, position: request.promptTokens)
        let alone = BatchForecast.Times(first: prefill + step, last: prefill + step * expectedRemaining(request))
        try Self.check(request.limits, alone, step) { limit, needed, _ in
            .unattainable(limit: limit, minimum: .seconds(needed))
        }
        // The reserve is not given away, unless it is needed even when alone.
        let start = request.limits.start
        var allowed = request.limits
        if let usable = allowed.usableWhole, now - start + alone.last <= usable { allowed.whole = usable }
        if let usable = allowed.usableFirstToken, now - start + alone.first <= usable { allowed.firstToken = usable }
        let latest = min(allowed.whole ?? .infinity, allowed.firstToken ?? .infinity)
        guard latest < .infinity else { return }

        let foreseen = times(of: request, limit: start + latest, now: now)
        let spent = now - start
        let times = BatchForecast.Times(
            first: spent + alone.first + cautious(max(0, foreseen.first - now - alone.first)),
            last: spent + alone.last + cautious(max(0, foreseen.last - now - alone.last))
        )
        try Self.check(allowed, times, step) { .overloaded(retryAfter: max($1 - $2, 0.001)) }
        let lack = lack(behind: request, now: now)
        if lack > 0 { throw .overloaded(retryAfter: max(lack, 0.001)) }
    }

    /// The seconds that those who are here and would come after a newcomer lack to be done in time, and to leave the room again
    /// that it takes; 0: they lack none.
    ///
    /// The work goes by deadlines, in full batches at the fewest chains. A newcomer counts twice: what comes after it finds as
    /// much room as it took, so the larger it is the sooner it is refused, and many small ones have the room of one large one.
    /// Of those who wait only its own client's: others' take turns with them, whatever they have to do.
    private func lack(behind newcomer: TrackedRequest, now: Double) -> Double {
        let taken = 2 * workSeconds(newcomer)
        var end = now, lack = 0.0
        var running = batch[...]
        func pass(_ other: TrackedRequest) {
            end += workSeconds(other)
            guard newcomer.precedes(other), other.priority == newcomer.priority, let due = other.due, end <= due else {
                return
            }
            lack = max(lack, end + taken - due)
        }
        for waiting in waiting.requests(of: newcomer.client) {
            while let next = running.first, next.precedes(waiting) { pass(running.removeFirst()) }
            pass(waiting)
        }
        for other in running { pass(other) }
        return lack
    }

    /// When a request that comes now has its first token and its last, if no more come.
    ///
    /// - Parameter limit: times after it are rough.
    func times(of request: TrackedRequest, limit: Double, now: Double) -> BatchForecast.Times {
        let running = batch.map { other in
            var entry = entry(other)
            // Its prompt is read behind the newcomer's.
            if request.precedes(other) { entry.prefill = 0 }
            return entry
        }
        var forecast = BatchForecast(running: running, places: limits.running, cost: cost, now: now)
        return forecast.times(of: entry(request), behind: waiting.ahead(of: request, entry), limit: limit)
    }

    private func entry(_ request: TrackedRequest) -> BatchForecast.Entry {
        let steps = expectedRemaining(request)
        return BatchForecast.Entry(
            steps: steps,
            chains: request.bounds.lowerBound,
            position: request.known + Int(steps / 2),
            prefill: prefillSeconds(request),
            due: request.due ?? .infinity
        )
    }

    /// Seconds that what is missing of a request's prompt takes, beside other work.
    private func prefillSeconds(_ request: TrackedRequest) -> Double {
        cost.prefillSeconds(request.missingPrompt, chunk: chunk)
    }

    /// - Parameter failure: makes the error of a limit, what would be needed and what is allowed, in seconds.
    private static func check(
        _ limits: TimeLimits,
        _ needed: BatchForecast.Times,
        _ step: Double,
        failure: (BudgetLimit, Double, Double) -> GenerationFailure
    ) throws(GenerationFailure) {
        let checks = [
            (BudgetLimit.whole, needed.last, limits.whole), (.firstToken, needed.first, limits.firstToken),
            (.perToken, step, limits.perToken),
        ]
        for (limit, needed, allowed) in checks {
            guard let allowed, needed > allowed else { continue }
            throw failure(limit, needed, allowed)
        }
    }
}
