import Core
import Scheduling
import Testing

/// Requests that wait for a place take chains from those without a budget.
@Suite struct CrowdTests {
    private func full() throws -> Desk {
        var desk = Desk(running: 2)
        try desk.enqueue(desk.request("a", max: 50, chains: .range(2...4)))
        try desk.enqueue(desk.request("b", max: 50))
        #expect(desk.step().parts.map(\.chains) == [4, 4])
        return desk
    }

    @Test func theyShrinkToTheirFloorsAndRiseAgain() throws {
        var desk = try full()
        try desk.enqueue(desk.request("c"))
        let plan = desk.step()
        #expect(plan.parts.map(\.chains) == [2, 1])
        #expect(plan.parts.map(\.reason) == [.load, .load])
        desk.remove("c")
        #expect(desk.step().parts.map(\.chains) == [4, 4])
    }

    @Test func whoHasABudgetKeepsItsChains() throws {
        var desk = Desk(running: 1)
        try desk.enqueue(desk.request("a", max: 50, budget: .init(whole: .seconds(10))))
        #expect(desk.step().parts.map(\.chains) == [4])
        try desk.enqueue(desk.request("waits"))
        #expect(desk.step().parts.map(\.chains) == [4])
    }

    @Test func whoWaitsWithABudgetHurriesTheOthersOnlyAsFarAsItNeeds() throws {
        var desk = try full()
        try desk.enqueue(desk.request("calm", budget: .init(whole: .seconds(10))))
        #expect(desk.step().parts.map(\.chains) == [4, 4])
        try desk.enqueue(desk.request("hurried", budget: .init(whole: .milliseconds(180))))
        let plan = desk.step()
        #expect(plan.parts.allSatisfy { $0.chains < 4 })
        #expect(plan.parts.map(\.reason) == [.load, .load])
    }

    /// However much time the budgets leave: a full queue refuses.
    @Test func aQueueThatFillsShrinksEverybody() throws {
        let budget = LatencyBudget(whole: .seconds(1000))
        var desk = Desk(running: 2, queued: 8)
        for index in 0..<6 { try desk.enqueue(desk.request("r\(index)", max: 50, budget: budget)) }
        #expect(desk.step().parts.map(\.chains) == [4, 4])
        #expect(desk.step().parts.map(\.chains) == [4, 4])
        try desk.enqueue(desk.request("one more", budget: budget))
        let plan = desk.step()
        #expect(plan.parts.map(\.chains) == [1, 1] && plan.parts.map(\.reason) == [.load, .load])
        desk.remove("one more")
        #expect(desk.step().parts.map(\.chains) == [4, 4])
    }

    /// Ten requests before it: that it gets the very next place is no help to it.
    @Test func whoWaitsBehindOthersHurriesTheBatchInTime() throws {
        func chains(ahead: Int) throws -> [Int] {
            var desk = Desk(running: 1)
            let budget = LatencyBudget(whole: .milliseconds(2500))
            try desk.enqueue(desk.request("runs", max: 100, budget: budget))
            desk.step()
            for index in 0...ahead { try desk.enqueue(desk.request("r\(index)", max: 100, budget: budget)) }
            return desk.step().parts.map(\.chains)
        }
        #expect(try chains(ahead: 0) == [4])
        #expect(try chains(ahead: 10)[0] < 3)
    }

    @Test func otherPoliciesDoNotShrink() throws {
        for policy in [ChainPolicy.slackFit, .fixed(4)] {
            var desk = Desk(running: 1, policy: policy)
            try desk.enqueue(desk.request("a", max: 50))
            try desk.enqueue(desk.request("waits"))
            #expect(desk.step().parts.map(\.chains) == [4])
        }
    }
}
