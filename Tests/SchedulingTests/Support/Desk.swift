import Core
import Scheduling

/// A scheduler with its room and a clock that is set by hand.
struct Desk {
    var scheduler: Scheduler
    var room: CountingRoom
    /// Seconds since the start.
    var time = 0.0
    /// What a step takes. The scheduler knows it.
    let cost: CostModel
    private let start = ContinuousClock.now

    init(
        running: Int = 4,
        queued: Int = 64,
        stepTokens: Int = 32,
        poolBlocks: Int = 100,
        chains: Int = 4,
        cost: CostModel? = nil,
        policy: ChainPolicy = .elastic(ElasticRules())
    ) {
        self.cost = cost ?? .flat(chains: chains)
        let limits = SchedulerLimits(
            running: running,
            queued: queued,
            stepTokens: stepTokens,
            poolBlocks: poolBlocks,
            blockTokens: 16,
            chains: chains
        )
        scheduler = Scheduler(limits: limits, cost: cost, policy: policy)
        room = CountingRoom(blocks: poolBlocks)
    }

    var now: ContinuousClock.Instant { start + .seconds(time) }

    /// A request that arrives now.
    func request(
        _ id: RequestID,
        prompt: Int = 10,
        max: Int = 5,
        chains: ChainSelection = .auto,
        logprobs: Bool = false,
        budget: LatencyBudget = .none,
        priority: Int = 0,
        client: String = "",
        leader: RequestID? = nil
    ) -> ScheduledRequest {
        ScheduledRequest(
            id: id,
            promptTokens: prompt,
            maxTokens: max,
            chains: chains,
            promptLogprobs: logprobs,
            budget: budget,
            arrival: now,
            priority: priority,
            client: client,
            leader: leader
        )
    }

    mutating func enqueue(_ request: ScheduledRequest) throws(GenerationFailure) {
        try scheduler.enqueue(request, now: now)
    }

    /// The next plan, which is not run.
    mutating func schedule() -> StepPlan { scheduler.schedule(now: now, room: &room) }

    /// Runs the plan: time passes as the cost model says, and every request with logits gets its token.
    mutating func run(_ plan: StepPlan) {
        time += cost.seconds(plan.shape(chains: scheduler.limits.chains))
        scheduler.advance(plan)
        for part in plan.parts where part.logits == .last { scheduler.appended(part.id, now: now) }
    }

    /// One step; returns its plan.
    @discardableResult
    mutating func step() -> StepPlan {
        let plan = schedule()
        run(plan)
        return plan
    }

    mutating func finish(_ id: RequestID, endedItself: Bool = true) {
        scheduler.finish(id, endedItself: endedItself, now: now)
        room.giveUp(id)
    }

    mutating func remove(_ id: RequestID) {
        scheduler.remove(id)
        room.giveUp(id)
    }

    /// Steps until nothing is left, and ends each request at its `max` tokens or when it expires.
    ///
    /// - Returns: for each request when it ended, in seconds, and the chain counts of its tokens.
    mutating func serve(_ goals: [RequestID: Int]) -> [RequestID: Served] {
        var served: [RequestID: Served] = [:]
        while !scheduler.isIdle {
            let plan = schedule()
            for id in plan.expired {
                served[id, default: Served()].isCut = true
                served[id, default: Served()].end = time
                finish(id, endedItself: false)
            }
            run(plan)
            for part in plan.parts where part.logits == .last {
                served[part.id, default: Served()].chains.append(part.chains)
                guard served[part.id]?.chains.count == goals[part.id] else { continue }
                served[part.id]?.end = time
                finish(part.id, endedItself: false)
            }
        }
        return served
    }

    struct Served {
        /// Of each token.
        var chains: [Int] = []
        var end = 0.0
        var isCut = false
    }
}
