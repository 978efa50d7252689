import Core
import Scheduling
import Testing

/// Work goes by deadlines: prompts, the size of steps, and the newcomers that others have time for.
@Suite struct DeadlineOrderTests {
    private func isTaken(_ desk: inout Desk, _ request: ScheduledRequest) -> Bool {
        do {
            try desk.enqueue(request)
            return true
        } catch {
            guard case .overloaded(let seconds) = error else {
                Issue.record("\(error)")
                return false
            }
            #expect(seconds > 0 && seconds < 1)
            return false
        }
    }

    // MARK: Prompts

    @Test func theMostUrgentPromptIsReadFirst() throws {
        var desk = Desk()
        try desk.enqueue(desk.request("calm", prompt: 100))
        #expect(desk.step().parts.map(\.count) == [32])
        try desk.enqueue(desk.request("hurried", prompt: 20, budget: .init(whole: .seconds(1))))
        let plan = desk.step()
        #expect(plan.parts.map(\.id) == ["hurried", "calm"] && plan.parts.map(\.count) == [20, 12])
        #expect(plan.parts.map(\.start) == [0, 32])
    }

    @Test func aHigherPriorityIsReadBeforeAnEarlierDeadline() throws {
        var desk = Desk()
        try desk.enqueue(desk.request("hurried", prompt: 100, budget: .init(whole: .seconds(1))))
        desk.step()
        try desk.enqueue(desk.request("first", prompt: 20, priority: 1))
        #expect(desk.step().parts.map(\.id) == ["first", "hurried"])
    }

    @Test func aNewBudgetMovesAPromptForward() throws {
        var desk = Desk()
        try desk.enqueue(desk.request("a", prompt: 100))
        try desk.enqueue(desk.request("b", prompt: 100))
        #expect(desk.step().parts.map(\.id) == ["a"])
        desk.scheduler.change("b", to: RequestChange(budget: .init(whole: .seconds(2)), received: desk.now))
        #expect(desk.step().parts.map(\.id) == ["b"])
    }

    /// The calm one's prompt would take 40 ms more, which the other has not; it gets between.
    @Test func aLessUrgentPromptIsNotInTheWay() throws {
        var desk = Desk()
        try desk.enqueue(desk.request("calm", prompt: 1000))
        desk.step()
        try desk.enqueue(desk.request("hurried", max: 10, budget: .init(whole: .milliseconds(40))))
        let served = desk.serve(["calm": 5, "hurried": 10])
        #expect(served["hurried"]?.isCut == false && served["hurried"]?.chains.count == 10)
        #expect(served["calm"]?.chains.count == 5)
    }

    // MARK: The size of steps

    /// 64 tokens take 1.6 ms, which is less than a fiftieth of the time of most, but not of 20 ms.
    @Test(arguments: [(200, 4, 64), (20, 4, 16), (20, 32, 32)])
    func shortBudgetsMakeShortSteps(milliseconds: Int, running: Int, tokens: Int) throws {
        var desk = Desk(running: running, stepTokens: 64)
        try desk.enqueue(desk.request("hurried", prompt: 1, max: 2, budget: .init(whole: .milliseconds(milliseconds))))
        try desk.enqueue(desk.request("calm", prompt: 200))
        #expect(desk.schedule().tokens == tokens)
    }

    // MARK: Newcomers

    /// Four that have 135 ms for answers of 100 tokens, which in full batches take 88.
    private func busyDesk(_ budget: LatencyBudget = .init(whole: .milliseconds(150))) throws -> Desk {
        var desk = Desk(running: 5)
        for id in 0..<4 { try desk.enqueue(desk.request("r\(id)", max: 100, budget: budget)) }
        desk.step()
        return desk
    }

    /// A prompt of 600 tokens takes 25 ms, one of 400 takes 16; the others can spare the one and not the other, twice.
    @Test func whoMakesOthersLateIsRefused() throws {
        for (prompt, isRoom) in [(400, true), (600, false)] {
            var desk = try busyDesk()
            let newcomer = desk.request("newcomer", prompt: prompt, max: 10, budget: .init(whole: .milliseconds(100)))
            #expect(isTaken(&desk, newcomer) == isRoom, "\(prompt) tokens")
            let served = desk.serve(["r0": 100, "r1": 100, "r2": 100, "r3": 100, "newcomer": 10])
            #expect(served.values.allSatisfy { !$0.isCut && $0.end <= 0.15 })
        }
    }

    @Test func whoComesBehindTheOthersIsNotInTheirWay() throws {
        var desk = try busyDesk()
        let newcomer = desk.request("newcomer", prompt: 600, max: 10, budget: .init(whole: .milliseconds(400)))
        #expect(isTaken(&desk, newcomer))
    }

    @Test(arguments: [
        LatencyBudget.none, LatencyBudget(whole: .milliseconds(150), isBestEffort: true),
        LatencyBudget(perToken: .milliseconds(20)),
    ])
    func whoWasPromisedNoEndIsNotMadeLate(budget: LatencyBudget) throws {
        var desk = try busyDesk(budget)
        let newcomer = desk.request("newcomer", prompt: 600, max: 10, budget: .init(whole: .milliseconds(100)))
        #expect(isTaken(&desk, newcomer))
    }

    @Test func aHigherPriorityIsTakenAllTheSame() throws {
        var desk = try busyDesk()
        let budget = LatencyBudget(whole: .milliseconds(100))
        #expect(isTaken(&desk, desk.request("newcomer", prompt: 600, max: 10, budget: budget, priority: 1)))
    }

    /// Nothing can be done for them, so nobody is refused for their sake.
    @Test func whoIsLateAlreadyIsNotMadeLate() throws {
        var desk = try busyDesk()
        desk.time = 0.115
        let newcomer = desk.request("newcomer", prompt: 100, max: 10, budget: .init(whole: .milliseconds(22)))
        #expect(isTaken(&desk, newcomer))
    }

    /// Three of client A wait that would be done 60 ms in time; the newcomer takes 42 and comes before them.
    @Test func anotherClientsQueueDoesNotCount() throws {
        let calm = LatencyBudget(whole: .milliseconds(400)), urgent = LatencyBudget(whole: .milliseconds(390))
        for (client, isRoom) in [("A", false), ("B", true)] {
            var desk = Desk(running: 1)
            try desk.enqueue(desk.request("runs", max: 10, budget: urgent, client: "A"))
            desk.step()
            for id in 0..<3 { try desk.enqueue(desk.request("w\(id)", max: 100, budget: calm, client: "A")) }
            #expect(isTaken(&desk, desk.request("newcomer", max: 40, budget: urgent, client: client)) == isRoom)
        }
    }
}
