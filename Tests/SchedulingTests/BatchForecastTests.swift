import Core
import TestSupport
import Testing

@testable import Scheduling

@Suite struct BatchForecastTests {
    /// A step takes a second, however many rows it has.
    private static let even = CostModel(
        first: CostCurve(fixed: 1, each: 0),
        tiers: (0..<4).map { _ in CostCurve(fixed: 0, each: 0) },
        attention: 0
    )

    private func entry(_ steps: Double, chains: Int = 1, prefill: Double = 0, due: Double = .infinity)
        -> BatchForecast.Entry
    {
        .init(steps: steps, chains: chains, position: 0, prefill: prefill, due: due)
    }

    private func times(
        _ newcomer: BatchForecast.Entry,
        running: [BatchForecast.Entry] = [],
        waiting: [BatchForecast.Entry] = [],
        places: Int = 2,
        cost: CostModel = BatchForecastTests.even,
        limit: Double = .infinity
    ) -> BatchForecast.Times {
        var forecast = BatchForecast(running: running, places: places, cost: cost, now: 100)
        return forecast.times(of: newcomer, behind: waiting, limit: limit)
    }

    @Test func aloneItTakesItsOwnSteps() {
        #expect(times(entry(5, prefill: 3)) == .init(first: 104, last: 108))
    }

    @Test func aPlaceThatIsFreeIsTaken() {
        #expect(times(entry(5), running: [entry(3)]) == .init(first: 101, last: 105))
    }

    @Test func withoutOneItWaitsForTheNextToEnd() {
        #expect(times(entry(5), running: [entry(9), entry(3)]) == .init(first: 104, last: 108))
    }

    @Test func thoseWhoWaitGoFirst() {
        // One place comes free after 3 steps and is taken for 4, the other one after 6.
        #expect(times(entry(5), running: [entry(3), entry(6)], waiting: [entry(4)]) == .init(first: 107, last: 111))
    }

    @Test func promptsStopEverybody() {
        let running = [entry(3, prefill: 10)], waiting = [entry(4, prefill: 20)]
        #expect(times(entry(5, prefill: 40), running: running, waiting: waiting) == .init(first: 174, last: 178))
    }

    @Test func moreRowsMakeLongerSteps() {
        let cost = CostModel(
            first: CostCurve(fixed: 1, each: 0.5),
            tiers: [CostCurve(fixed: 0, each: 0), CostCurve(fixed: 1, each: 0)],
            attention: 0
        )
        // Four steps of two rows of which one has a second chain, and two of one row.
        let result = times(entry(6), running: [entry(4, chains: 2)], cost: cost)
        #expect(result == .init(first: 103, last: 115))
    }

    /// Who would make a running request late waits, place or not.
    @Test func theGateIsKept() {
        let cost = CostModel(first: CostCurve(fixed: 1, each: 0.5), tiers: [CostCurve(fixed: 0, each: 0)], attention: 0)
        let hurried = entry(4, due: 106.5)
        #expect(times(entry(2), running: [hurried], cost: cost) == .init(first: 107.5, last: 109))
        let calm = entry(4, due: 120)
        #expect(times(entry(2), running: [calm], cost: cost) == .init(first: 102, last: 104))
    }

    @Test func behindTheLimitTheWorkIsSummedUp() {
        let waiting = (0..<1000).map { _ in entry(10, prefill: 1) }
        let rough = times(entry(10), running: [entry(10), entry(10)], waiting: waiting, limit: 120)
        let exact = times(entry(10), running: [entry(10), entry(10)], waiting: waiting)
        #expect(abs(rough.last - exact.last) < 0.02 * exact.last)
    }

    /// What is foreseen is what the scheduler does, if nobody else comes.
    @Test func itIsWhatComesTrue() throws {
        let cost = CostModel.flat(chains: 4)
        var random = SeededGenerator(seed: 11)
        for _ in 0..<60 {
            var desk = Desk(running: 4, queued: 64, poolBlocks: 10_000, cost: cost, policy: .fixed(1))
            var goals: [RequestID: Int] = [:]
            for number in 0..<Int.random(in: 0...20, using: &random) {
                let id = RequestID(UInt64(number)), length = Int.random(in: 1...40, using: &random)
                try desk.enqueue(desk.request(id, prompt: 1, max: length, budget: .init(whole: .seconds(100))))
                goals[id] = length
            }
            let length = Int.random(in: 1...40, using: &random)
            let newcomer = desk.request("newcomer", prompt: 1, max: length, budget: .init(whole: .seconds(100)))
            let tracked = TrackedRequest(newcomer, order: 99, arrival: 0, available: 4)
            let forecast = desk.scheduler.times(of: tracked, limit: .infinity, now: 0)
            try desk.enqueue(newcomer)
            goals["newcomer"] = length
            let served = desk.serve(goals)
            let end = try #require(served["newcomer"]).end
            #expect(abs(forecast.last - end) < 1e-6 * end)
        }
    }
}
