// Chain counts of a step.

import Core

extension Scheduler {
    /// Turns shares into the parts of the plan, with their chain counts.
    func assign(_ shares: [Share], now: Double, _ plan: inout StepPlan) {
        guard shares.contains(where: { $0.count > 0 }) else { return }
        var shares = shares
        let paces = paces(now: now, &shares)
        // Requests wait that have no deadline to hurry anybody: those without a budget make room for them.
        let isCrowded =
            waiting.limitedCount < waiting.count
            && waiting.requests.contains { !$0.limits.isLimited && !waitsForLeader($0) }
        // Nobody is refused for want of a place in the queue while others have more than their floors.
        let isFilling = waiting.count > limits.queued / 2
        var rows: [ChainAllocation.Row] = []
        rows.reserveCapacity(shares.count)
        for (place, share) in shares.enumerated() where logits(of: share, place) != .none {
            let request = batch[place]
            // Who is late is to end as soon as can be.
            let isLate = share.pace == 0
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
        let allocation = ChainAllocation(
            cost: cost,
            limit: paces.tightest,
            load: load.share(at: now),
            safety: load.safety(backlog: paces.backlog, at: now)
        )
        allocation.allocate(&rows, policy: policy)
        var next = rows.makeIterator()
        plan.parts.reserveCapacity(shares.count)
        for (place, share) in shares.enumerated() where share.count > 0 {
            let request = batch[place]
            let logits = logits(of: share, place)
            let wanted = (logits == .none ? request.chains : next.next()?.chains) ?? request.bounds.upperBound
            let count = min(max(wanted, request.bounds.lowerBound), request.bounds.upperBound)
            plan.parts.append(
                .init(
                    id: request.id,
                    start: request.computed,
                    count: share.count,
                    chains: count,
                    reason: reason(request, count, isTightest: !isFilling && share.pace <= paces.tightest),
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

    private func logits(of share: Share, _ place: Int) -> StepPlan.Logits {
        guard share.count > 0 else { return .none }
        let request = batch[place]
        // A request that runs again after its first token has told them already.
        if request.promptLogprobs && request.generated == 0 { return .all }
        return share.count == request.missing && request.maxTokens > 0 ? .last : .none
    }

    // MARK: Pace

    /// How fast the requests that are here must go.
    private struct Paces {
        /// The tightest one, in seconds a step, of all that run or wait. Who is late already hurries no one else.
        var tightest = Double.infinity
        /// What all of them still take of the machine at their fewest chains in full batches, in seconds.
        var backlog: Double
    }

    /// Looks at everybody, and notes the paces of those who run in their shares.
    private func paces(now: Double, _ shares: inout [Share]) -> Paces {
        let prompts = batch.reduce(into: waiting.prompts) { $0 += $1.missingPrompt }
        let stall = cost.prefillSeconds(prompts, chunk: chunk)
        let position = meanPosition
        // By the fewest chains, which are the same ones for nearly all.
        var least = 0, token = 0.0
        func work(_ request: TrackedRequest, _ remaining: Double) -> Double {
            if request.bounds.lowerBound != least {
                least = request.bounds.lowerBound
                token = cost.tokenSeconds(rows: limits.running, chains: least, position: position)
            }
            return remaining * token
        }
        var paces = Paces(backlog: stall)
        var nextPlace = Double.infinity
        for place in batch.indices {
            let request = batch[place]
            let remaining = expectedRemaining(request)
            nextPlace = min(nextPlace, remaining)
            paces.backlog += work(request, remaining)
            let steps = request.isPrefilling ? stepsToFirst(request) : 1
            switch request.pace(now: now, remaining: remaining + steps - 1, stall: stall, stepsToFirst: steps) {
            case .free: continue
            case .late: shares[place].pace = 0
            case .limited(let seconds):
                shares[place].pace = seconds
                paces.tightest = min(paces.tightest, seconds)
            }
        }
        let free = limits.running - batch.count
        waiting.forEach { request, ahead in
            let remaining = expectedRemaining(request)
            paces.backlog += work(request, remaining)
            guard request.limits.isLimited else { return }
            // Places come one after the other, an answer's length over their number apart.
            let wait = ahead < free ? 0 : nextPlace + Double(ahead - free) * remaining / Double(limits.running)
            if case .limited(let seconds) = request.pace(
                now: now,
                remaining: wait + remaining,
                stall: stall,
                stepsToFirst: wait + stepsToFirst(request)
            ) {
                paces.tightest = min(paces.tightest, seconds)
            }
        }
        return paces
    }

    var meanPosition: Int {
        batch.isEmpty ? 0 : batch.reduce(0) { $0 + $1.known } / batch.count
    }

    func expectedRemaining(_ request: TrackedRequest) -> Double {
        lengths.expectedRemaining(generated: request.generated, limit: max(1, request.maxTokens))
    }

    func stepsToFirst(_ request: TrackedRequest) -> Double {
        Double((request.missing + chunk - 1) / chunk)
    }
}

extension ChainPolicy {
    fileprivate var isElastic: Bool {
        if case .elastic = self { return true }
        return false
    }
}
