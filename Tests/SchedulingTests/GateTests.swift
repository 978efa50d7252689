import Core
import Scheduling
import Testing

/// Who may join a batch in which somebody is in a hurry.
@Suite struct GateTests {
    /// A second for a step of one chain, and ten milliseconds for every row.
    private static let cost = CostModel(
        first: CostCurve(fixed: 1, each: 0.01),
        tiers: (0..<4).map { CostCurve(fixed: $0 == 0 ? 0 : 1, each: 0) },
        attention: 0
    )

    /// A batch of one request that needs 1.01 s for a token and has 1.012, the reserve aside: with a second row it would take
    /// 1.02.
    private func hurried(tokens: Int = 40) throws -> Desk {
        var desk = Desk(running: 8, cost: Self.cost)
        let budget = LatencyBudget(whole: .seconds(Double(tokens) * 1.012 + 0.02))
        try desk.enqueue(desk.request("hurried", prompt: 1, max: tokens, budget: budget))
        desk.step()
        return desk
    }

    /// A request without a budget counts as if it were due in ten seconds, and the others as they say.
    private static let calm = LatencyBudget(whole: .seconds(60))

    @Test func whoWouldBreakAPaceWaits() throws {
        var desk = try hurried(tokens: 7)
        try desk.enqueue(desk.request("newcomer", prompt: 1))
        for _ in 0..<5 { #expect(desk.step().parts.map(\.id) == ["hurried"]) }
        desk.finish("hurried", endedItself: false)
        #expect(desk.step().started.map(\.id) == ["newcomer"])
    }

    @Test func whoBreaksNoPaceDoesNot() throws {
        var desk = Desk(running: 8, cost: Self.cost)
        try desk.enqueue(desk.request("calm", prompt: 1, max: 40, budget: .init(whole: .seconds(50))))
        desk.step()
        try desk.enqueue(desk.request("newcomer", prompt: 1))
        #expect(desk.step().started.map(\.id) == ["newcomer"])
    }

    @Test func whoIsMoreUrgentPasses() throws {
        var desk = try hurried()
        try desk.enqueue(desk.request("urgent", prompt: 1, max: 2, budget: .init(whole: .seconds(6))))
        #expect(desk.step().started.map(\.id) == ["urgent"])
    }

    @Test func nobodyWaitsLongerThanTheirPatience() throws {
        var desk = try hurried()
        try desk.enqueue(desk.request("newcomer", prompt: 1, budget: Self.calm))
        let came = desk.time
        while desk.scheduler.status(of: "newcomer")?.phase == .queued && desk.time < 30 { desk.step() }
        #expect(desk.time - came > 10 && desk.time - came < 13)
        #expect(desk.scheduler.status(of: "hurried")?.phase == .decode)
    }

    /// That others wait does not mend what is broken.
    @Test func whoIsLateKeepsNobodyWaiting() throws {
        var desk = Desk(running: 8, cost: Self.cost)
        let budget = LatencyBudget(whole: .seconds(45), isBestEffort: true)
        try desk.enqueue(desk.request("late", prompt: 1, max: 40, budget: budget))
        desk.step()
        desk.time += 45
        try desk.enqueue(desk.request("newcomer", prompt: 1, budget: Self.calm))
        #expect(desk.step().started.map(\.id) == ["newcomer"])
    }
}
