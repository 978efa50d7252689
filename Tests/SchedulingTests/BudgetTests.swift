import Core
import Scheduling
import TestSupport
import Testing

/// Latency budgets: what is refused, what is cut, and what is met.
@Suite struct BudgetTests {
    // MARK: Refusal

    /// With the flat cost model a step of one row at one chain takes 1 ms and 20 us.
    private static let step = 1.02e-3

    private func failure(_ desk: inout Desk, _ request: ScheduledRequest) -> GenerationFailure? {
        do throws(GenerationFailure) {
            try desk.enqueue(request)
            return nil
        } catch {
            return error
        }
    }

    private func isNear(_ duration: Duration, _ seconds: Double) -> Bool {
        abs(duration / .seconds(1) - seconds) < 1e-9
    }

    @Test func aBudgetThatAnIdleServerCannotMeet() {
        // 9 silent tokens take 1.09 ms, then 100 steps.
        let prefill = 1.09e-3
        let cases: [(LatencyBudget, BudgetLimit, Double)] = [
            (.init(whole: .milliseconds(100)), .whole, prefill + 100 * Self.step),
            (.init(firstToken: .milliseconds(2)), .firstToken, prefill + Self.step),
            (.init(perToken: .milliseconds(1)), .perToken, Self.step),
        ]
        for (budget, limit, minimum) in cases {
            var desk = Desk()
            let failure = failure(&desk, desk.request("a", max: 100, budget: budget))
            guard case .unattainable(let broken, let needed) = failure else {
                Issue.record("\(limit): \(String(describing: failure))")
                continue
            }
            #expect(broken == limit && isNear(needed, minimum))
            #expect(desk.scheduler.isIdle)
        }
    }

    @Test func aBudgetWithLittleToSpareIsTaken() throws {
        var desk = Desk()
        let budget = LatencyBudget(
            whole: .microseconds(103_200),
            firstToken: .microseconds(2200),
            perToken: .microseconds(1030)
        )
        try desk.enqueue(desk.request("a", max: 100, budget: budget))
    }

    @Test func theClientsOwnFloorCounts() {
        var desk = Desk()
        let budget = LatencyBudget(perToken: .milliseconds(2))
        #expect(failure(&desk, desk.request("auto", budget: budget)) == nil)
        let refused = failure(&desk, desk.request("fixed", chains: .fixed(3), budget: budget))
        guard case .unattainable(.perToken, let minimum) = refused else {
            Issue.record("\(String(describing: refused))")
            return
        }
        #expect(isNear(minimum, Self.step + 2 * 1.01e-3))
    }

    @Test func workAheadThatLeavesTooLittleTime() throws {
        var desk = Desk(running: 1)
        try desk.enqueue(desk.request("busy", max: 500))
        desk.step()
        let refused = failure(&desk, desk.request("hurried", max: 100, budget: .init(whole: .milliseconds(150))))
        guard case .overloaded(let seconds) = refused else {
            Issue.record("\(String(describing: refused))")
            return
        }
        #expect(seconds > 0.01 && seconds < 1)
        // An idle server could do it.
        desk.finish("busy", endedItself: false)
        #expect(failure(&desk, desk.request("again", max: 100, budget: .init(whole: .milliseconds(150)))) == nil)
    }

    /// Of a short wait a third more is feared, of a long one 20 ms where all have the same time.
    @Test(arguments: [(61, 200, 205), (500, 640, 670)])
    func aWaitMayBecomeLonger(tokens: Int, tooShort: Int, enough: Int) throws {
        // The newcomer takes 103 ms alone, and waits for a place for 61 ms or 509. 20 ms of its time are the reserve.
        for (budget, isRefused) in [(tooShort, true), (enough, false)] {
            var desk = Desk(running: 1)
            let whole = LatencyBudget(whole: .milliseconds(budget))
            try desk.enqueue(desk.request("busy", max: tokens, budget: whole))
            desk.step()
            let newcomer = desk.request("newcomer", max: 100, budget: whole)
            #expect((failure(&desk, newcomer) != nil) == isRefused, "\(budget) ms")
        }
    }

    @Test func timeSpentOnTheWayCounts() {
        var desk = Desk()
        let late = desk.request("late", max: 100, budget: .init(whole: .milliseconds(200)))
        desk.time += 0.15
        guard case .overloaded = failure(&desk, late) else {
            Issue.record("taken, though 50 ms are left for 103")
            return
        }
    }

    @Test func bestEffortIsNeitherRefusedNorCut() throws {
        var desk = Desk()
        let budget = LatencyBudget(whole: .nanoseconds(1), firstToken: .nanoseconds(1), isBestEffort: true)
        try desk.enqueue(desk.request("a", max: 50, budget: budget))
        let served = desk.serve(["a": 50])
        #expect(served["a"]?.chains.count == 50 && served["a"]?.isCut == false)
    }

    @Test func whoIsLateEndsAsSoonAsCanBe() throws {
        var desk = Desk()
        try desk.enqueue(
            desk.request(
                "a",
                max: 20,
                chains: .range(2...4),
                budget: LatencyBudget(whole: .seconds(1), isBestEffort: true)
            )
        )
        desk.time = 2
        let served = desk.serve(["a": 20])
        #expect(served["a"]?.chains == Array(repeating: 2, count: 20))
    }

    // MARK: The cut

    @Test func expiredRequestsAreToldAndComputeNothingMore() throws {
        var desk = Desk(running: 1)
        try desk.enqueue(desk.request("runs", max: 50, budget: .init(whole: .milliseconds(200))))
        desk.step()
        try desk.enqueue(desk.request("waits", max: 2, budget: .init(whole: .milliseconds(500))))
        #expect(desk.step().expired.isEmpty)
        desk.time = 0.2
        var plan = desk.schedule()
        #expect(plan.expired == ["runs"] && !plan.parts.contains { $0.id == "runs" })
        desk.finish("runs", endedItself: false)
        plan = desk.step()
        #expect(plan.expired.isEmpty && plan.parts.map(\.id) == ["waits"])
        #expect(desk.scheduler.runningCount == 1)
    }

    @Test func whatExpiresInTheQueueGetsNoPlace() throws {
        var desk = Desk(running: 1)
        try desk.enqueue(desk.request("runs", max: 4))
        desk.step()
        try desk.enqueue(desk.request("waits", max: 2, budget: .init(whole: .milliseconds(100))))
        desk.time += 1
        desk.finish("runs")
        let plan = desk.schedule()
        #expect(plan.expired == ["waits"] && plan.started.isEmpty && plan.isEmpty)
        desk.finish("waits", endedItself: false)
        #expect(desk.schedule().expired.isEmpty)
        #expect(desk.scheduler.isIdle)
    }

    // MARK: Chains

    @Test func anIdleServerGivesTheMost() throws {
        var desk = Desk()
        try desk.enqueue(desk.request("a", max: 30))
        #expect(desk.serve(["a": 30])["a"]?.chains == Array(repeating: 4, count: 30))
    }

    /// The cost model is the clock: random budgets between the fastest answer and twice the slowest.
    @Test func budgetsThatNeedFewerChainsAreMetWithFewer() throws {
        var random = SeededGenerator(seed: 21)
        var met = 0, shrunk = 0, tight = 0
        for _ in 0..<100 {
            var desk = Desk(stepTokens: 64)
            let prompt = Int.random(in: 1...200, using: &random), tokens = Int.random(in: 5...200, using: &random)
            let step = { desk.cost.decodeSeconds(rows: 1, chains: $0, position: prompt) }
            let prefill = desk.cost.prefillSeconds(tokens: prompt - 1, chunk: 64)
            let fastest = prefill + Double(tokens) * step(1), slowest = prefill + Double(tokens) * step(4)
            let seconds = Double.random(in: fastest * 1.1...slowest * 1.5, using: &random)
            try desk.enqueue(
                desk.request("a", prompt: prompt, max: tokens, budget: .init(whole: .seconds(seconds)))
            )
            let served = try #require(desk.serve(["a": tokens])["a"])
            if !served.isCut && served.end <= seconds { met += 1 }
            guard seconds < slowest else { continue }
            tight += 1
            if served.chains.contains(where: { $0 < 4 }) { shrunk += 1 }
        }
        #expect(met >= 99)
        #expect(shrunk == tight && tight > 20)
    }

    @Test func aBudgetThatComesInTheMiddleIsMet() throws {
        var random = SeededGenerator(seed: 22)
        var met = 0
        for _ in 0..<100 {
            var desk = Desk()
            let tokens = Int.random(in: 40...150, using: &random)
            try desk.enqueue(desk.request("a", max: tokens))
            for _ in 0..<10 { #expect(desk.step().parts.map(\.chains) == [4]) }
            let left = tokens - 10
            let seconds = Self.step * Double(left) * .random(in: 1.1...3, using: &random)
            let changed = desk.scheduler.change(
                "a",
                to: RequestChange(budget: .init(whole: .seconds(seconds)), received: desk.now)
            )
            #expect(changed)
            let start = desk.time
            let served = try #require(desk.serve(["a": left])["a"])
            if !served.isCut && served.end - start <= seconds { met += 1 }
        }
        #expect(met >= 99)
    }

    @Test func aPaceForEveryTokenIsKept() throws {
        var desk = Desk()
        // Two chains take 2.03 ms, three 3.04.
        try desk.enqueue(desk.request("a", max: 100, budget: .init(perToken: .microseconds(2600))))
        var ends: [Double] = []
        for _ in 0..<100 {
            desk.step()
            ends.append(desk.time)
        }
        #expect((ends[99] - ends[0]) / 99 <= 2.6e-3)
    }
}
