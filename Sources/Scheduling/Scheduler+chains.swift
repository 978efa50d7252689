// Chain counts of a step.

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
        let allocation = ChainAllocation(
            cost: cost,
            limit: paces.tightest,
            load: load.share(at: now),
            safety: load.safety(backlog: paces.backlog, at: now)
        )
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

    /// How fast the requests that are here must go.
    private struct Paces {
        /// What each running request needs, in seconds a step; infinite: it has no limit. Zero: it is late.
        var of: [Double]
        /// The tightest of all that run or wait. Who is late already hurries no one else.
        var tightest = Double.infinity
        /// What all of them still take of the machine at their fewest chains in full batches, in seconds.
        var backlog: Double
    }

    private func paces(now: Double) -> Paces {
        let prompts = batch.reduce(into: waiting.prompts) { $0.add(promptOf: $1) }
        let stall = cost.prefillSeconds(prompts, chunk: chunk)
        let token = cost.tokenSeconds(rows: limits.running, position: meanPosition)
        var paces = Paces(of: [Double](repeating: .infinity, count: batch.count), backlog: stall)
        var nextPlace = Double.infinity
        for place in batch.indices {
            let request = batch[place]
            let remaining = expectedRemaining(request)
            nextPlace = min(nextPlace, remaining)
            paces.backlog += remaining * token[request.bounds.lowerBound - 1]
            let steps = request.isPrefilling ? stepsToFirst(request) : 1
            switch request.pace(now: now, remaining: remaining + steps - 1, stall: stall, stepsToFirst: steps) {
            case .free: continue
            case .late: paces.of[place] = 0
            case .limited(let seconds):
                paces.of[place] = seconds
                paces.tightest = min(paces.tightest, seconds)
            }
        }
        let free = limits.running - batch.count
        waiting.forEach { request, ahead in
            let remaining = expectedRemaining(request)
            paces.backlog += remaining * token[request.bounds.lowerBound - 1]
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

    /// Tokens of prompts that a step computes at most.
    var chunk: Int { limits.stepTokens }

    var meanPosition: Int {
        batch.isEmpty ? 0 : batch.reduce(0) { $0 + $1.known } / batch.count
    }

    func expectedRemaining(_ request: TrackedRequest) -> Double {
        lengths.expectedRemaining(generated: request.generated, limit: max(1, request.maxTokens))
    }

    func stepsToFirst(_ request: TrackedRequest) -> Double {
        Double((request.missing + limits.stepTokens - 1) / limits.stepTokens)
    }
}

extension ChainPolicy {
    fileprivate var isElastic: Bool {
        if case .elastic = self { return true }
        return false
    }
}
