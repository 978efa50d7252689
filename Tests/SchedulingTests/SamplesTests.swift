import Core
import Scheduling
import Testing

/// Several answers to one prompt: the first one computes it for all.
@Suite struct SamplesTests {
    private func desk() throws -> Desk {
        var desk = Desk()
        try desk.enqueue(desk.request("leader", prompt: 100))
        for index in 1...2 { try desk.enqueue(desk.request("sample \(index)", prompt: 100, leader: "leader")) }
        return desk
    }

    @Test func theyWaitForTheirLeadersPromptAndHoldUpNobody() throws {
        var desk = try desk()
        try desk.enqueue(desk.request("other", prompt: 5))
        #expect(desk.step().started.map(\.id) == ["leader", "other"])
        var plans: [StepPlan] = []
        while plans.last?.parts.first?.logits != .last { plans.append(desk.step()) }
        #expect(plans.count == 3)
        #expect(plans.allSatisfy { $0.started.isEmpty })
        #expect(desk.schedule().started.map(\.id) == ["sample 1", "sample 2"])
    }

    @Test func theirLeaderIsNotCrowdedByThem() throws {
        var desk = try desk()
        for _ in 0..<3 { desk.step() }
        let plan = desk.step()
        #expect(plan.parts.map(\.logits) == [.last] && plan.parts.map(\.chains) == [4])
        #expect(plan.parts.map(\.reason) == [.unconstrained])
    }

    @Test func theyGoOnWhenTheirLeaderIsGone() throws {
        var desk = try desk()
        desk.step()
        desk.remove("leader")
        #expect(desk.schedule().started.map(\.id) == ["sample 1", "sample 2"])
    }

    @Test func theyDoNotWaitForOneThatNeverWasHere() throws {
        var desk = Desk()
        try desk.enqueue(desk.request("sample", leader: "unknown"))
        #expect(desk.schedule().started.map(\.id) == ["sample"])
    }
}
