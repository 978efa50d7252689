import Core
import Scheduling
import Testing

/// What a client changes about a request that is here.
@Suite struct ChangeTests {
    private func change(_ desk: inout Desk, _ id: RequestID, chains: ChainSelection) -> Bool {
        desk.scheduler.change(id, to: RequestChange(chains: chains, received: desk.now))
    }

    @Test func chainsOfARequestThatWaits() throws {
        var desk = Desk()
        try desk.enqueue(desk.request("a"))
        let isHere = change(&desk, "a", chains: .fixed(2))
        #expect(isHere && desk.scheduler.status(of: "a")?.chains == 2)
        #expect(desk.scheduler.queuedCount == 1)
        #expect(desk.step().parts.map(\.chains) == [2])
    }

    @Test func chainsDuringThePrefill() throws {
        var desk = Desk()
        try desk.enqueue(desk.request("a", prompt: 50, chains: .fixed(4)))
        desk.step()
        let isHere = change(&desk, "a", chains: .range(1...3))
        #expect(isHere)
        #expect(desk.step().parts.map(\.chains) == [3])
    }

    @Test func chainsFromTheNextTokenOn() throws {
        var desk = Desk()
        try desk.enqueue(desk.request("a", max: 20))
        for count in [4, 1, 3] {
            let isHere = change(&desk, "a", chains: .fixed(count))
            #expect(isHere)
            let plan = desk.step()
            #expect(plan.parts.map(\.chains) == [count] && plan.parts.map(\.reason) == [.requested])
            #expect(desk.scheduler.status(of: "a")?.chains == count)
        }
    }

    @Test func aBudgetCountsFromItsChange() throws {
        var desk = Desk()
        try desk.enqueue(desk.request("a", max: 1000))
        desk.step()
        desk.time = 5
        desk.scheduler.change("a", to: RequestChange(budget: .init(whole: .seconds(2)), received: desk.now))
        desk.time = 6.9
        #expect(desk.schedule().expired.isEmpty)
        desk.time = 7
        #expect(desk.schedule().expired == ["a"])
    }

    @Test func aBudgetOfARequestThatWaitsMovesItForward() throws {
        var desk = Desk(running: 1)
        try desk.enqueue(desk.request("runs", max: 100))
        desk.step()
        try desk.enqueue(desk.request("b"))
        try desk.enqueue(desk.request("c"))
        desk.scheduler.change("c", to: RequestChange(budget: .init(whole: .seconds(3)), received: desk.now))
        desk.finish("runs")
        #expect(desk.schedule().started.map(\.id) == ["c"])
    }

    @Test func aBudgetThatIsTakenBackCutsNothing() throws {
        var desk = Desk()
        try desk.enqueue(desk.request("a", max: 10, budget: .init(whole: .seconds(1))))
        desk.step()
        desk.scheduler.change("a", to: RequestChange(budget: LatencyBudget.none, received: desk.now))
        desk.time = 100
        let plan = desk.schedule()
        #expect(plan.expired.isEmpty && plan.parts.map(\.chains) == [4])
    }

    @Test func whoIsNotHereIsNotChanged() throws {
        var desk = Desk()
        try desk.enqueue(desk.request("a"))
        desk.step()
        desk.finish("a")
        let isHere = change(&desk, "a", chains: .fixed(1))
        #expect(!isHere)
    }
}
