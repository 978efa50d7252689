import Core
import Glibc
import LoadTesting
import Scheduling

/// The server's scheduler under a workload, with a cost model in the place of the machine: time is counted and not waited
/// for, so that an hour takes seconds.
///
/// What it leaves out is what surrounds the engine (HTTP, tokenising, another program's disturbances beyond ``noise``). The
/// scheduler, its queue, its admission and its policy are the server's own.
package struct Simulator {
    package struct Options: Sendable {
        package var limits: SchedulerLimits
        package var policy: ChainPolicy
        /// What steps cost. The scheduler knows it too, and corrects its copy by what it sees.
        package var cost: CostModel
        /// Steps take longer or shorter by a factor whose logarithm is normal with this deviation.
        package var noise = 0.0
        package var seed: UInt64 = 1

        package init(limits: SchedulerLimits, policy: ChainPolicy, cost: CostModel) {
            self.limits = limits
            self.policy = policy
            self.cost = cost
        }
    }

    /// What came of a workload.
    package struct Result: Sendable {
        /// In the workload's order.
        package var outcomes: [RequestOutcome]
        /// Steps that were run, and seconds that they took.
        package var steps = 0
        package var busySeconds = 0.0
        package var preemptions = 0
    }

    private let options: Options
    private let origin = ContinuousClock.now
    private var scheduler: Scheduler
    private var room: CountedRoom
    private var random: SeededRandom
    /// Seconds since the start.
    private var now = 0.0
    private var result = Result(outcomes: [])

    private init(_ workload: Workload, _ options: Options, limits: (Arrival) -> LatencyLimits) {
        self.options = options
        scheduler = Scheduler(limits: options.limits, cost: options.cost, policy: options.policy)
        room = CountedRoom(
            blocks: options.limits.poolBlocks,
            blockTokens: options.limits.blockTokens,
            requests: workload.arrivals.count
        )
        random = SeededRandom(seed: options.seed, stream: 7)
        result.outcomes = workload.arrivals.map { RequestOutcome($0, limits: limits($0)) }
    }

    /// Runs a workload to its end.
    ///
    /// - Parameters:
    ///   - limits: of each request.
    ///   - progress: hears now and then how many requests have come.
    package static func run(
        _ workload: Workload,
        _ options: Options,
        limits: (Arrival) -> LatencyLimits,
        progress: (Int) -> Void = { _ in }
    ) -> Result {
        var simulator = Simulator(workload, options, limits: limits)
        return simulator.run(progress)
    }

    private mutating func run(_ progress: (Int) -> Void) -> Result {
        var next = 0
        while next < result.outcomes.count || !scheduler.isIdle {
            if scheduler.isIdle { now = max(now, result.outcomes[next].scheduled) }
            while next < result.outcomes.count, result.outcomes[next].scheduled <= now {
                submit(next)
                next += 1
                if next.isMultiple(of: 1000) { progress(next) }
            }
            step()
        }
        result.preemptions = scheduler.preemptions
        return result
    }

    private func instant(_ seconds: Double) -> ContinuousClock.Instant { origin + .seconds(seconds) }

    // MARK: Events

    private mutating func submit(_ index: Int) {
        let outcome = result.outcomes[index]
        result.outcomes[index].sent = now
        do throws(GenerationFailure) {
            try scheduler.enqueue(
                ScheduledRequest(
                    id: RequestID(UInt64(index)),
                    promptTokens: outcome.promptTokens,
                    maxTokens: outcome.plannedTokens,
                    budget: LatencyBudget(
                        whole: outcome.limits.total.map { .seconds($0) },
                        firstToken: outcome.limits.firstToken.map { .seconds($0) },
                        perToken: outcome.limits.perToken.map { .seconds($0) }
                    ),
                    arrival: instant(outcome.scheduled)
                ),
                now: instant(now)
            )
        } catch {
            result.outcomes[index].end = now
            result.outcomes[index].status = Self.status(error)
        }
    }

    private static func status(_ failure: GenerationFailure) -> RequestOutcome.Status {
        switch failure {
        case .overloaded: .rejected(status: 503, code: "server_is_overloaded")
        case .unattainable: .rejected(status: 503, code: "deadline_unattainable")
        case .tooLarge: .rejected(status: 400, code: "context_length_exceeded")
        case .shuttingDown: .failed("shutting down")
        }
    }

    private mutating func step() {
        let start = instant(now)
        let plan = scheduler.schedule(now: start, room: &room)
        for id in plan.expired { finish(id, .cut, now: start) }
        guard !plan.isEmpty else { return }
        let shape = plan.shape(chains: options.limits.chains)
        var seconds = options.cost.seconds(shape)
        if options.noise > 0 { seconds *= exp(options.noise * random.normal()) }
        now += seconds
        result.steps += 1
        result.busySeconds += seconds
        let end = instant(now)
        scheduler.advance(plan)
        for part in plan.parts where part.logits != .none {
            let index = Int(part.id.number)
            result.outcomes[index].note(tokens: 1, chains: part.chains, at: now)
            if result.outcomes[index].outputTokens == result.outcomes[index].plannedTokens {
                finish(part.id, .completed, now: end)
            } else {
                scheduler.appended(part.id, now: end)
            }
        }
        scheduler.observe(shape, seconds: seconds)
    }

    private mutating func finish(
        _ id: RequestID,
        _ status: RequestOutcome.Status,
        now instant: ContinuousClock.Instant
    ) {
        let index = Int(id.number)
        scheduler.finish(id, endedItself: false, now: instant)
        room.giveUp(id)
        result.outcomes[index].status = status
        result.outcomes[index].end = now
        var counts = [Int](repeating: 0, count: options.limits.chains)
        for run in result.outcomes[index].runs { counts[run.chains - 1] += run.tokens }
        result.outcomes[index].chainTokens = counts
    }
}
