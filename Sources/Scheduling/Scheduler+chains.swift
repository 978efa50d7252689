// Chain counts of a step, and the refusal of budgets that cannot be met.

import Core

extension Scheduler {
    /// Turns shares into the parts of the plan, with their chain counts.
    func assign(_ shares: [Share], now: Double, _ plan: inout StepPlan) {
        guard !shares.isEmpty else { return }
        let paces = paces(now: now)
        // Requests wait that have no deadline to hurry anybody: those without a budget make room for them.
        let isCrowded =
            waiting.limitedCount < waiting.count
            && waiting.requests.contains { !$0.limits.isLimited && !waitsForLeader($0) }
        // Nobody is refused for want of a place in the queue while others have more than their floors.
        let isFilling = waiting.count > limits.queued / 2
        var rows: [ChainAllocation.Row] = []
        rows.reserveCapacity(shares.count)
        for share in shares where logits(of: share) != .none {
            let request = batch[share.place]
            // Who is late is to end as soon as can be.
            let isLate = paces.of[share.place] == 0
            let yields = policy.isElastic && (isLate || isFilling || isCrowded && !request.limits.isLimited)
            let least = request.bounds.lowerBound
            rows.append(
                ChainAllocation.Row(
                    bounds: yields ? least...least : request.bounds,
                    previous: request.chains ?? 0,
                    position: request.computed + share.count - 1
                )
            )
        }
        let allocation = ChainAllocation(cost: cost, limit: paces.tightest, load: load.share(at: now))
        var chains = allocation.chains(of: rows, policy: policy).makeIterator()
        plan.parts.reserveCapacity(shares.count)
        for share in shares {
            let request = batch[share.place]
            let logits = logits(of: share)
            let wanted = (logits == .none ? request.chains : chains.next()) ?? request.bounds.upperBound
            let count = min(max(wanted, request.bounds.lowerBound), request.bounds.upperBound)
            plan.parts.append(
                .init(
                    id: request.id,
                    start: request.computed,
                    count: share.count,
                    chains: count,
                    reason: reason(request, count, isTightest: !isFilling && paces.of[share.place] <= paces.tightest),
                    logits: logits
                )
            )
        }
    }

    private func reason(_ request: TrackedRequest, _ chains: Int, isTightest: Bool) -> ChainReason {
        if case .fixed = request.selection { return .requested }
        if chains == request.bounds.upperBound { return .unconstrained }
        return isTightest && request.limits.isLimited ? .budget : .load
    }

    private func logits(of share: Share) -> StepPlan.Logits {
        let request = batch[share.place]
        // A request that runs again after its first token has told them already.
        if request.promptLogprobs && request.generated == 0 { return .all }
        return share.count == request.missing && request.maxTokens > 0 ? .last : .none
    }

    // MARK: Pace

    /// The pace that each running request needs, in seconds a step (infinite: none), and the tightest of all that run or
    /// wait. Who is late already hurries no one else.
    private func paces(now: Double) -> (of: [Double], tightest: Double) {
        let stall = cost.prefillSeconds(tokens: promptTokensAhead, chunk: limits.stepTokens)
        var of = [Double](repeating: .infinity, count: batch.count)
        var tightest = Double.infinity
        var nextPlace = Double.infinity
        for place in batch.indices {
            let request = batch[place]
            let remaining = expectedRemaining(request)
            nextPlace = min(nextPlace, remaining)
            let steps = request.isPrefilling ? stepsToFirst(request) : 1
            switch request.pace(now: now, remaining: remaining + steps - 1, stall: stall, stepsToFirst: steps) {
            case .free: continue
            case .late: of[place] = 0
            case .limited(let seconds):
                of[place] = seconds
                tightest = min(tightest, seconds)
            }
        }
        guard waiting.limitedCount > 0 else { return (of, tightest) }
        let free = limits.running - batch.count
        waiting.forEach { request, ahead in
            guard request.limits.isLimited else { return }
            let remaining = expectedRemaining(request)
            // Places come one after the other, an answer's length over their number apart.
            let wait = ahead < free ? 0 : nextPlace + Double(ahead - free) * remaining / Double(limits.running)
            if case .limited(let seconds) = request.pace(
                now: now,
                remaining: wait + remaining,
                stall: stall,
                stepsToFirst: wait + stepsToFirst(request)
            ) {
                tightest = min(tightest, seconds)
            }
        }
        return (of, tightest)
    }

    /// Prompt tokens that are still to be computed, of all requests, the last of each prompt aside.
    private var promptTokensAhead: Int {
        let running = batch.reduce(0) { $0 + max(0, $1.missing - 1) }
        return running + waiting.silentTokens
    }

    private func expectedRemaining(_ request: TrackedRequest) -> Double {
        lengths.expectedRemaining(generated: request.generated, limit: max(1, request.maxTokens))
    }

    private func stepsToFirst(_ request: TrackedRequest) -> Double {
        Double((request.missing + limits.stepTokens - 1) / limits.stepTokens)
    }

    // MARK: Admission

    /// Who may join the batch now: those that leave the running requests their pace at the smallest size, and those that
    /// are more urgent. The others have time to wait until somebody is done.
    struct Gate {
        /// The deadline and the pace of the most urgent running request; nil: nobody is in a hurry.
        var tightest: (pace: Double, remaining: Double, due: Double)?
        /// Seconds of a step with one more row, at the smallest size.
        var step: Double
        /// Seconds for one prompt token.
        var promptToken: Double

        /// Nobody waits longer than this for the sake of others' pace.
        private static let patience = 10.0

        func admits(_ request: TrackedRequest, now: Double) -> Bool {
            guard let tightest else { return true }
            let stall = promptToken * Double(request.known - 1)
            if step + stall / tightest.remaining <= tightest.pace { return true }
            let due = request.limits.cutOff ?? request.limits.start + Self.patience
            return due < tightest.due || now - request.limits.start > Self.patience
        }
    }

    func gate(now: Double) -> Gate {
        let prompts = batch.reduce(0) { $0 + max(0, $1.missing - 1) }
        let stall = cost.prefillSeconds(tokens: prompts, chunk: limits.stepTokens)
        var gate = Gate(
            step: cost.decodeSeconds(rows: batch.count + 1, chains: 1, position: meanPosition),
            promptToken: cost.prefillSeconds(tokens: limits.stepTokens, chunk: limits.stepTokens)
                / Double(limits.stepTokens)
        )
        for request in batch {
            guard let due = request.limits.cutOff else { continue }
            let remaining = expectedRemaining(request) + (request.isPrefilling ? stepsToFirst(request) - 1 : 0)
            guard
                case .limited(let pace) = request.pace(
                    now: now,
                    remaining: remaining,
                    stall: stall,
                    stepsToFirst: stepsToFirst(request)
                )
            else { continue }
            if pace < gate.tightest?.pace ?? .infinity { gate.tightest = (pace, remaining, due) }
        }
        return gate
    }

    private var meanPosition: Int {
        batch.isEmpty ? 0 : batch.reduce(0) { $0 + $1.known } / batch.count
    }

    /// Seconds of the machine that a request takes at the smallest size, in full batches.
    func workSeconds(_ request: TrackedRequest) -> Double {
        let tokens = lengths.expectedRemaining(generated: 0, limit: max(1, request.maxTokens))
        let step = cost.decodeSeconds(rows: limits.running, chains: 1, position: request.promptTokens)
        return cost.prefillSeconds(tokens: request.promptTokens - 1, chunk: limits.stepTokens)
            + step * tokens / Double(limits.running)
    }

    /// Refuses a request whose budget cannot be met: not by an idle server, or not behind the work that is here.
    ///
    /// The estimate behind other work is that of a batch which all share: a request of `m` tokens is done when every other
    /// one has had `min(m, its own remaining)` rows computed beside it, at the least chains allowed.
    func judge(_ request: TrackedRequest, _ budget: LatencyBudget, now: Double) throws(GenerationFailure) {
        guard budget.isLimited, !budget.isBestEffort else { return }
        let floor = request.bounds.lowerBound
        let remaining = expectedRemaining(request)
        let prefill = cost.prefillSeconds(tokens: request.promptTokens - 1, chunk: limits.stepTokens)
        let step = cost.decodeSeconds(rows: 1, chains: floor, position: request.promptTokens)
        try Self.check(budget, prefill + step, prefill + step * remaining, step) {
            .unattainable(limit: $0, minimum: $1)
        }

        let spent = now - request.limits.start
        let rows = min(limits.running, batch.count + waiting.count + 1)
        let crowd = cost.decodeSeconds(rows: rows, chains: floor, position: request.promptTokens)
        let each = max(0, crowd - step) / Double(max(1, rows - 1))
        var beside = 0.0
        for other in batch { beside += min(remaining, expectedRemaining(other)) }
        for other in waiting.requests { beside += min(remaining, expectedRemaining(other)) }
        let stall = cost.prefillSeconds(tokens: promptTokensAhead, chunk: limits.stepTokens) + prefill
        let whole = spent + stall + step * remaining + each * beside
        // Places are shared too: who finds none waits for one.
        let ahead = Double(max(0, batch.count + waiting.count + 1 - limits.running))
        let queue = ahead * crowd * remaining / Double(limits.running)
        try Self.check(budget, spent + stall + queue + crowd, whole + queue, step) { limit, needed in
            let over = needed / .seconds(1) - (budget.limit(limit) ?? .zero) / .seconds(1)
            return .overloaded(retryAfter: max(over, 0.001))
        }
    }

    private static func check(
        _ budget: LatencyBudget,
        _ first: Double,
        _ whole: Double,
        _ step: Double,
        failure: (BudgetLimit, Duration) -> GenerationFailure
    ) throws(GenerationFailure) {
        for (limit, seconds) in [(BudgetLimit.whole, whole), (.firstToken, first), (.perToken, step)] {
            guard let allowed = budget.limit(limit), .seconds(seconds) > allowed else { continue }
            throw failure(limit, .seconds(seconds))
        }
    }
}

extension LatencyBudget {
    fileprivate func limit(_ limit: BudgetLimit) -> Duration? {
        switch limit {
        case .whole: whole
        case .firstToken: firstToken
        case .perToken: perToken
        }
    }
}

extension ChainPolicy {
    fileprivate var isElastic: Bool {
        if case .elastic = self { return true }
        return false
    }
}
