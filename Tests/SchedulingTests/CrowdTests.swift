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
        try desk.enqueue(desk.request("hurried", budget: .init(whole: .milliseconds(120))))
        let plan = desk.step()
        #expect(plan.parts.allSatisfy { $0.chains < 4 })
        #expect(plan.parts.map(\.reason) == [.load, .load])
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
