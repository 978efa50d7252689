import Core
import Testing

@testable import Scheduling

@Suite struct WaitingQueueTests {
    private var queue = WaitingQueue()
    private var count = 0

    private mutating func insert(
        _ id: RequestID,
        client: String = "",
        priority: Int = 0,
        budget: LatencyBudget = .none,
        arrival: Double = 0
    ) {
        queue.insert(request(id, client, priority, budget, arrival: arrival))
        count += 1
    }

    private func request(
        _ id: RequestID,
        _ client: String,
        _ priority: Int,
        _ budget: LatencyBudget,
        arrival: Double
    ) -> TrackedRequest {
        let request = ScheduledRequest(
            id: id,
            promptTokens: 10,
            maxTokens: 10,
            budget: budget,
            arrival: .now,
            priority: priority,
            client: client
        )
        return TrackedRequest(request, order: count, arrival: arrival, available: 4)
    }

    private mutating func next() -> RequestID? { takeNext()?.id }

    private mutating func takeNext(where isReady: (TrackedRequest) -> Bool = { _ in true }) -> TrackedRequest? {
        queue.next(where: isReady).map { queue.take($0) }
    }

    /// Everything that waits, in its order.
    private mutating func drain() -> [RequestID] {
        var ids: [RequestID] = []
        while let id = next() { ids.append(id) }
        return ids
    }

    @Test mutating func arrivalDecidesBetweenEquals() {
        for id: RequestID in ["a", "b", "c"] { insert(id) }
        #expect(drain() == ["a", "b", "c"])
        #expect(queue.isEmpty)
    }

    @Test mutating func priorityComesFirst() {
        insert("urgent", budget: LatencyBudget(whole: .milliseconds(1)))
        insert("other client", client: "b")
        insert("high", client: "c", priority: 2)
        insert("higher", client: "c", priority: 3)
        insert("low", client: "d", priority: -1)
        queue.charge(ClientID("c"), tokens: 1e6)
        #expect(drain() == ["higher", "high", "urgent", "other client", "low"])
    }

    @Test mutating func whoWasServedLeastComesBeforeDeadlines() {
        insert("hurried", client: "a", budget: LatencyBudget(whole: .seconds(1)))
        insert("calm", client: "b")
        queue.charge(ClientID("a"), tokens: 5)
        #expect(drain() == ["calm", "hurried"])
    }

    @Test mutating func deadlinesDecideWithinAClient() {
        insert("ten seconds by default")
        insert("late", budget: LatencyBudget(whole: .seconds(20)))
        insert("soon", budget: LatencyBudget(whole: .seconds(9)))
        insert("soonest", budget: LatencyBudget(whole: .seconds(30), firstToken: .seconds(2)))
        insert("came before", arrival: -9.5)
        #expect(drain() == ["came before", "soonest", "soon", "ten seconds by default", "late"])
    }

    @Test mutating func newcomersDoNotBringTurnsAlong() {
        insert("old 1", client: "old")
        queue.charge(ClientID("old"), tokens: 1000)
        insert("new 1", client: "new")
        insert("new 2", client: "new")
        insert("old 2", client: "old")
        // The newcomer starts where the least served one is, so that they take turns from here on.
        var order: [RequestID] = []
        while let request = takeNext() {
            order.append(request.id)
            queue.charge(request.client, tokens: 10)
        }
        #expect(order == ["old 1", "new 1", "new 2", "old 2"])
    }

    @Test mutating func aFloodStarvesNobody() {
        for index in 0..<100 { insert("flood \(index)", client: "flood") }
        for index in 0..<5 { insert("small \(index)", client: "small") }
        var served = 0
        var places: [Int] = []
        while let request = takeNext() {
            if request.client == ClientID("small") { places.append(served) }
            served += 1
            queue.charge(request.client, tokens: 20)
        }
        #expect(served == 105)
        #expect(places == [1, 3, 4, 6, 8] || places == [1, 3, 5, 7, 9] || places == [1, 2, 4, 6, 8])
    }

    @Test mutating func whatIsNotReadyIsPassed() {
        for id: RequestID in ["a", "b", "c"] { insert(id) }
        #expect(takeNext { $0.id != "a" }?.id == "b")
        #expect(takeNext { _ in false } == nil)
        #expect(queue.count == 2)
        #expect(drain() == ["a", "c"])
    }

    @Test mutating func removal() {
        insert("a", client: "x")
        insert("b", client: "y")
        #expect(queue.remove("b")?.id == "b")
        #expect(queue.remove("b") == nil)
        #expect(queue.remove("unknown") == nil)
        #expect(queue.count == 1 && drain() == ["a"])
    }

    @Test mutating func countersOfThoseWhoLeftAreForgotten() {
        insert("a", client: "gone")
        insert("b", client: "waits")
        queue.charge(ClientID("gone"), tokens: 100)
        queue.charge(ClientID("waits"), tokens: 50)
        queue.charge(ClientID("runs"), tokens: 70)
        _ = queue.remove("a")
        queue.keepCounters { $0 == ClientID("runs") }
        // Had its counter been kept, it would come last.
        insert("again", client: "gone")
        insert("more", client: "runs")
        #expect(drain() == ["b", "again", "more"])
    }

    // MARK: Ahead of a newcomer

    private func ahead(client: String, priority: Int = 0, budget: LatencyBudget = .none) -> [RequestID] {
        queue.ahead(of: request("newcomer", client, priority, budget, arrival: 0), \.id)
    }

    @Test mutating func aClientsOwnRequestsAreAheadByTheirDeadlines() {
        insert("soon", budget: LatencyBudget(whole: .seconds(1)))
        insert("late", budget: LatencyBudget(whole: .seconds(8)))
        #expect(ahead(client: "", budget: LatencyBudget(whole: .seconds(9))) == ["soon", "late"])
        #expect(ahead(client: "", budget: LatencyBudget(whole: .seconds(2))) == ["soon"])
    }

    @Test mutating func aFloodOfAnotherClientIsNotAhead() {
        for number in 0..<50 { insert(RequestID(UInt64(number)), client: "flood") }
        insert("first", client: "calm")
        #expect(ahead(client: "other") == [RequestID(0), "first"])
        #expect(ahead(client: "calm") == [RequestID(0), "first", RequestID(1)])
        #expect(ahead(client: "flood").count == 51)
    }

    @Test mutating func higherPrioritiesAreAllAhead() {
        for id: RequestID in ["a", "b", "c"] { insert(id, client: "high", priority: 2) }
        insert("low", client: "low", priority: -1)
        #expect(ahead(client: "other") == ["a", "b", "c"])
        #expect(ahead(client: "other", priority: 3).isEmpty)
    }
}
