import Core
import Testing

@testable import Scheduling

@Suite struct PaceTests {
    /// A request with a prompt of 10 tokens that has `generated` tokens, the first of them `first` seconds after its
    /// arrival.
    private func request(_ budget: LatencyBudget, generated: Int = 0, first: Double = 0) -> TrackedRequest {
        var request = TrackedRequest(
            ScheduledRequest(id: "r", promptTokens: 10, maxTokens: 100, budget: budget, arrival: .now),
            order: 0,
            arrival: 0,
            available: 4
        )
        request.known += generated
        if generated > 0 { request.firstToken = first }
        return request
    }

    private func pace(
        _ request: TrackedRequest,
        at seconds: Double,
        remaining: Double,
        stall: Double = 0,
        stepsToFirst: Double = 1
    ) -> Pace {
        request.pace(now: seconds, remaining: remaining, stall: stall, stepsToFirst: stepsToFirst)
    }

    private func isLimited(_ pace: Pace, to seconds: Double) -> Bool {
        guard case .limited(let limit) = pace else { return false }
        return abs(limit - seconds) < 1e-9
    }

    @Test func noBudgetNoPace() {
        #expect(pace(request(.none), at: 100, remaining: 5) == .free)
        #expect(pace(request(LatencyBudget(isBestEffort: true)), at: 100, remaining: 5) == .free)
    }

    /// 20 ms of the budget are kept for the way to the client.
    @Test func theWholeAnswer() {
        let request = request(LatencyBudget(whole: .seconds(10.02)))
        #expect(isLimited(pace(request, at: 2, remaining: 16), to: 0.5))
        #expect(isLimited(pace(request, at: 2, remaining: 16, stall: 4), to: 0.25))
        #expect(pace(request, at: 10, remaining: 16) == .late)
        #expect(pace(request, at: 5, remaining: 16, stall: 5.5) == .late)
    }

    /// Of a short budget a tenth is kept.
    @Test func theReserveOfAShortBudget() {
        #expect(isLimited(pace(request(LatencyBudget(whole: .milliseconds(100))), at: 0.01, remaining: 8), to: 0.01))
    }

    @Test func theFirstToken() {
        let budget = LatencyBudget(firstToken: .seconds(2.02))
        #expect(isLimited(pace(request(budget), at: 1, remaining: 50, stepsToFirst: 4), to: 0.25))
        #expect(isLimited(pace(request(budget), at: 1, remaining: 50, stall: 0.5, stepsToFirst: 4), to: 0.125))
        #expect(pace(request(budget), at: 3, remaining: 50) == .late)
        // With the first token there, nothing is left to keep.
        #expect(pace(request(budget, generated: 1, first: 1), at: 3, remaining: 50) == .free)
    }

    @Test func everyFurtherToken() {
        let budget = LatencyBudget(perToken: .milliseconds(100))
        #expect(isLimited(pace(request(budget), at: 50, remaining: 10), to: 0.1))
        // Exactly on time: 5 tokens in the 0.4 s after the first.
        #expect(isLimited(pace(request(budget, generated: 5, first: 1), at: 1.4, remaining: 10), to: 0.1))
        // 0.2 s behind: 10 tokens in 0.8 s.
        #expect(isLimited(pace(request(budget, generated: 5, first: 1), at: 1.6, remaining: 10), to: 0.08))
        // 0.2 s saved: 10 tokens in 1.2 s.
        #expect(isLimited(pace(request(budget, generated: 5, first: 1), at: 1.2, remaining: 10), to: 0.12))
        #expect(pace(request(budget, generated: 5, first: 1), at: 3, remaining: 10) == .late)
    }

    @Test func whatWasSavedIsNotSpentInOneGap() {
        let budget = LatencyBudget(perToken: .milliseconds(100))
        #expect(isLimited(pace(request(budget, generated: 50, first: 1), at: 1.5, remaining: 2), to: 0.15))
    }

    @Test func theTightestLimitCounts() {
        let budget = LatencyBudget(whole: .seconds(10.02), firstToken: .seconds(1.02), perToken: .milliseconds(300))
        #expect(isLimited(pace(request(budget), at: 0, remaining: 20, stepsToFirst: 5), to: 0.2))
        #expect(isLimited(pace(request(budget), at: 0, remaining: 100, stepsToFirst: 5), to: 0.1))
        #expect(isLimited(pace(request(budget), at: 0, remaining: 20, stepsToFirst: 2), to: 0.3))
    }

    @Test func timesCountFromAChange() {
        var changed = request(LatencyBudget(whole: .seconds(4.02)))
        changed.limits.start = 6
        #expect(isLimited(pace(changed, at: 8, remaining: 4), to: 0.5))
    }
}
