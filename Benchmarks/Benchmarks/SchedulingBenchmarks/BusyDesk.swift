import Core
import Scheduling

/// A scheduler in the middle of its work: a full batch that decodes, and others that wait for a place. Two of three have a
/// budget, and there are eight clients.
struct BusyDesk {
    private var scheduler: Scheduler
    private var room = EndlessRoom()
    private let start = ContinuousClock.now
    private var time = Duration.zero

    init(running: Int, waiting: Int) {
        scheduler = Scheduler(
            limits: SchedulerLimits(
                running: running,
                // Not so full a queue that everybody shrinks, which is quick to decide.
                queued: 4 * waiting + 1,
                stepTokens: 4096,
                poolBlocks: 1_000_000,
                blockTokens: 16,
                chains: 4
            )
        )
        // Answers of many lengths were seen.
        for index in 0..<400 {
            let id = RequestID(UInt64(index))
            enqueue(id, index, isHurried: false)
            scheduler.advance(scheduler.schedule(now: start, room: &room))
            for _ in 0..<(index * 7 % 500) { scheduler.appended(id, now: start) }
            scheduler.finish(id, endedItself: true, now: start + .seconds(1))
        }
        for index in 0..<running + waiting { enqueue(RequestID(UInt64(1000 + index)), index, isHurried: index % 3 > 0) }
        step()
    }

    private mutating func enqueue(_ id: RequestID, _ index: Int, isHurried: Bool) {
        enqueue(id, index, isHurried ? LatencyBudget(perToken: .milliseconds(200 + index)) : .none)
    }

    private mutating func enqueue(_ id: RequestID, _ index: Int, _ budget: LatencyBudget) {
        let request = ScheduledRequest(
            id: id,
            promptTokens: 20 + index % 30,
            maxTokens: 10_000_000,
            budget: budget,
            arrival: start,
            client: "client with a long name \(index % 8)"
        )
        do { try scheduler.enqueue(request, now: start) } catch { preconditionFailure("\(id): \(error)") }
    }

    /// One decision, which is not acted on.
    mutating func decide() -> StepPlan {
        scheduler.schedule(now: start + time, room: &room)
    }

    /// A newcomer is judged behind all the others, taken, and gives up.
    mutating func welcome() {
        let id = RequestID(9999)
        enqueue(id, 63, LatencyBudget(whole: .seconds(3600)))
        scheduler.remove(id)
    }

    /// One decision, and what the engine tells about it.
    mutating func step() {
        let plan = decide()
        scheduler.advance(plan)
        time += .milliseconds(5)
        for part in plan.parts { scheduler.appended(part.id, now: start + time) }
    }
}

/// Memory that never ends.
private struct EndlessRoom: KVRoom {
    func canTake(blocks: Int) -> Bool { true }
    mutating func begin(_ id: RequestID, known: Int) -> Int { 0 }
    mutating func reserve(_ id: RequestID, count: Int) -> Bool { true }
    mutating func giveUp(_ id: RequestID) {}
}
