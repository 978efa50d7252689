import Foundation
import JSON
import Testing

@testable import LoadTesting

@Suite struct LoadReportTests {
    @Test func latenciesCountFromTheScheduledArrival() throws {
        var outcome = RequestOutcome.completed(at: 10, first: 10.5, end: 12.5, tokens: 5)
        outcome.sent = 10.4
        #expect(outcome.timeToFirstToken == 0.5 && outcome.endToEnd == 2.5 && outcome.timePerToken == 0.5)
        #expect(RequestOutcome.completed(at: 0, first: 1, end: 1, tokens: 1).timePerToken == nil)
        let refused = RequestOutcome.ended(at: 0, end: 1, .rejected(status: 503, code: nil))
        #expect(refused.endToEnd == nil && refused.timeToFirstToken == nil)
    }

    @Test func judgement() {
        func met(_ limits: LatencyLimits) -> Bool? {
            RequestOutcome.completed(at: 10, first: 10.5, end: 12.5, tokens: 5, limits: limits).isMet
        }
        #expect(met(LatencyLimits()) == true)
        #expect(met(LatencyLimits(total: 2.5, firstToken: 0.5, perToken: 0.5)) == true)
        #expect(met(LatencyLimits(total: 2.4)) == false)
        #expect(met(LatencyLimits(firstToken: 0.4)) == false)
        #expect(met(LatencyLimits(perToken: 0.4)) == false)
        #expect(RequestOutcome.ended(at: 0, end: 0.1, .cut, limits: .init(total: 1)).isMet == false)
        #expect(RequestOutcome.ended(at: 0, end: 0.1, .rejected(status: 429, code: nil)).isMet == false)
        #expect(RequestOutcome.ended(at: 0, end: 0.1, .failed("reset")).isMet == false)
        // Stopped with the test: a miss only when it was late already.
        #expect(RequestOutcome.ended(at: 0, end: 0.1, .unfinished, limits: .init(total: 1)).isMet == nil)
        #expect(RequestOutcome.ended(at: 0, end: 1.1, .unfinished, limits: .init(total: 1)).isMet == false)
        #expect(RequestOutcome.ended(at: 0, end: 1.1, .unfinished, limits: .init(firstToken: 1)).isMet == false)
    }

    @Test func runsJoinTokensOfOneSize() {
        let outcome = RequestOutcome.completed(at: 0, first: 1, end: 8, tokens: 8, chains: [4, 4, 2, 4])
        #expect(outcome.runs.map(\.chains) == [4, 2, 4])
        #expect(outcome.runs.map(\.tokens) == [4, 2, 2])
        #expect(outcome.runs[0].start == 1 && outcome.runs[0].end == 4)
    }

    static var report: LoadReport {
        let limits = LatencyLimits(total: 2)
        var counted = RequestOutcome.completed(at: 1, first: 1.5, end: 2.5, tokens: 4, chains: [2], limits: limits)
        counted.chainTokens = [1, 3, 0]
        counted.cachedTokens = 8
        return LoadReport(
            title: "a <b> & \"c\"",
            outcomes: [
                .completed(at: 0, first: 0.5, end: 1, tokens: 6, chains: [1, 3], limits: limits),
                counted,
                .completed(at: 2, first: 3, end: 5, tokens: 2, chains: [1], limits: limits),
                .ended(at: 3, end: 3.1, .rejected(status: 503, code: "server_is_overloaded"), limits: limits),
                .ended(at: 3, end: 3.1, .rejected(status: 503, code: "server_is_overloaded"), limits: limits),
                .ended(at: 4, end: 4.1, .rejected(status: 429, code: nil), limits: limits),
                .ended(at: 5, end: 7, .cut, limits: limits),
                .ended(at: 6, end: 8, .failed("connection reset"), limits: limits),
                .ended(at: 7, end: 7.5, .unfinished, limits: limits),
            ],
            duration: 9
        )
    }

    @Test func figures() throws {
        let report = Self.report
        let counts = report.counts
        #expect(counts.requests == 9 && counts.completed == 3 && counts.met == 2 && counts.judged == 8)
        #expect(counts.rejected == 3 && counts.cut == 1 && counts.failed == 1 && counts.unfinished == 1)
        #expect(report.duration == 9 && report.offeredRate == 1)
        #expect(report.attainment == 0.25 && report.goodput == 2.0 / 9 && report.completedRate == 3.0 / 9)
        #expect(
            report.rejections == [
                .init(name: "503 server_is_overloaded", requests: 2), .init(name: "429", requests: 1),
            ]
        )
        #expect(report.failures == [.init(name: "connection reset", requests: 1)])
        // Six and two tokens by what the chunks said, four by the server's own count.
        #expect(report.chainTokens == [3 + 1 + 2, 3, 3])
        #expect(report.meanChains == (6 + 6 + 9) / 12.0)
        #expect(report.outputTokens == 12 && report.tokenRate == 12.0 / 9)
        #expect(report.broken == [.total: 1])
        #expect(report.endToEnd.sorted == [1, 1.5, 2, 3])
        #expect(report.promptTokens == 30 && report.cachedTokens == 8)
    }

    @Test func emptyReport() {
        let report = LoadReport(title: "nothing", outcomes: [], duration: 0)
        #expect(report.attainment == nil && report.goodput == 0 && report.meanChains == nil)
        #expect(report.endToEnd[0.5] == nil)
    }

    @Test func shortAnswers() {
        var outcome = RequestOutcome.completed(at: 0, first: 1, end: 2, tokens: 3)
        outcome.plannedTokens = 4
        #expect(LoadReport(title: "", outcomes: [outcome], duration: 1).counts.short == 1)
    }

    @Test func percentiles() {
        let values = Percentiles((1...100).map(Double.init).reversed())
        #expect(values[0.5] == 50 && values[0.95] == 95 && values[0.99] == 99 && values[1] == 100 && values[0] == 1)
        #expect(values.mean == 50.5)
        #expect(Percentiles([7])[0.5] == 7)
    }

    @Test func timelineSpreadsRuns() {
        // Tokens from 1 s to 3 s at two chains, from 3.5 s on at one; bins of one second.
        let outcome = RequestOutcome.completed(at: 0, first: 1, end: 5, tokens: 8, chains: [2, 1])
        let timeline = ChainTimeline([outcome], duration: 5, bins: 5, chains: 2)
        #expect(timeline.binSeconds == 1)
        #expect(abs(timeline.bins.joined().reduce(0, +) - 8) < 1e-9)
        #expect(timeline.bins[0] == [0, 0, 0])
        #expect(timeline.bins[1][2] > 0 && timeline.bins[1][1] == 0)
        #expect(timeline.meanChains(ofBin: 0) == nil && timeline.meanChains(ofBin: 1) == 2)
        #expect(timeline.meanChains(ofBin: 4) == 1)
        let unknown = RequestOutcome.completed(at: 0, first: 1, end: 9, tokens: 3, chains: [0])
        #expect(ChainTimeline([unknown], duration: 5, bins: 5, chains: 0).bins.joined().reduce(0, +).rounded() == 3)
    }

    @Test func limitsByRule() {
        let time = UnloadedTime(base: 0.01, perPromptToken: 0.001, perOutputToken: 0.002)
        let arrival = Arrival(time: 0, promptTokens: 100, outputTokens: 50)
        let rule = LatencyRule(budget: .factor(3, of: time), perToken: 0.05)
        let limits = rule.limits(of: arrival)
        #expect(abs(limits.total! - 0.63) < 1e-12 && limits.perToken == 0.05 && limits.firstToken == nil)
        #expect(LatencyRule(budget: .fixed(2)).limits(of: arrival) == LatencyLimits(total: 2))
        #expect(LatencyRule().limits(of: arrival).isEmpty)
    }

    @Test func json() throws {
        let bytes = Self.report.json(includingRequests: true)
        let object = try JSONParser.parse(bytes, of: "the report").object
        #expect(object?["title"]?.string == "a <b> & \"c\"")
        #expect(object?["counts"]?.object?["rejected"]?.int == 3)
        #expect(object?["attainment"]?.double == 0.25)
        #expect(object?["mean_chains"]?.double == 1.75)
        #expect(object?["latency"]?.object?["e2e"]?.object?["p50"]?.double == 1.5)
        #expect(object?["rejections"]?.array?.first?.object?["name"]?.string == "503 server_is_overloaded")
        #expect(object?["timeline"]?.object?["tokens"]?.array?.first?.array?.count == 4)
        let requests = try #require(object?["requests"]?.array)
        #expect(requests.count == 9)
        #expect(requests[0].object?["met"]?.bool == true && requests[8].object?["met"]?.isNull == true)
        #expect(requests[0].object?["runs"]?.array?.count == 2)
        #expect(requests[3].object?["error"]?.string == "server_is_overloaded")
        #expect(requests[7].object?["error"]?.string == "connection reset")
        let short = try JSONParser.parse(Self.report.json(includingRequests: false), of: "the report").object
        #expect(short?["requests"] == nil)
        let empty = LoadReport(title: "", outcomes: [], duration: 0).json(includingRequests: true)
        #expect(try JSONParser.parse(empty, of: "it").object?["attainment"]?.isNull == true)
    }
}
