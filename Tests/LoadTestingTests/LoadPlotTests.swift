import FoundationXML
import Foundation
import Testing

@testable import LoadTesting

@Suite struct LoadPlotTests {
    private func isWellFormed(_ svg: String) -> Bool { XMLParser(data: Data(svg.utf8)).parse() }

    @Test func whatIsDrawn() throws {
        let svg = LoadPlot(LoadReportTests.report).svg
        #expect(isWellFormed(svg))
        #expect(svg.contains("a &lt;b> &amp; \"c\""))
        #expect(svg.contains("9 requests at 1/s · 25 % within limits"))
        #expect(svg.contains("within limits: 2") && svg.contains("refused or failed: 4"))
        #expect(svg.contains("budget 2 s"))
        #expect(svg.contains("k = 1: 50 %") && svg.contains("k = 3: 25 %"))
        #expect(svg.contains("Time per output token") && svg.contains("stopped early: 1 unfinished"))
    }

    @Test func differingBudgetsAreShares() throws {
        let outcomes = [1.0, 4].map {
            RequestOutcome.completed(at: $0, first: $0 + 1, end: $0 + 2, tokens: 2, limits: .init(total: $0))
        }
        let dots = LatencyDots(LoadReport(title: "", outcomes: outcomes, duration: 5))
        #expect(dots.isRelative && dots.limit == 1)
        #expect(dots.met.map(\.value) == [0.5] && dots.missed.map(\.value) == [2])
        #expect(LoadPlot(LoadReport(title: "", outcomes: outcomes, duration: 5)).svg.contains("share of its budget"))
    }

    @Test func nothingToDraw() {
        let empty = LoadPlot(LoadReport(title: "", outcomes: [], duration: 0)).svg
        #expect(isWellFormed(empty) && !empty.contains("nan") && !empty.contains("inf"))
        let refused = [RequestOutcome.ended(at: 1, end: 1, .failed("x"))]
        let svg = LoadPlot(LoadReport(title: "", outcomes: refused, duration: 2)).svg
        #expect(isWellFormed(svg) && !svg.contains("Chains") && !svg.contains("nan"))
    }

    @Test func manyRequestsAreThinned() {
        let outcomes = (0..<20_000).map {
            RequestOutcome.completed(at: Double($0) / 100, first: Double($0) / 100 + 1, end: 300, tokens: 2)
        }
        let report = LoadReport(title: "", outcomes: outcomes, duration: 200)
        let dots = LatencyDots(report)
        #expect(dots.stride == 4 && dots.met.count == 5000)
        #expect(LoadPlot(report).svg.contains("one of 4 requests drawn"))
    }

    @Test func axisMarks() {
        #expect(PlotPanel.marks(0...10, about: 5) == [0, 2, 4, 6, 8, 10])
        #expect(PlotPanel.marks(0...0.7, about: 7).count == 8)
        #expect(PlotPanel.marks(3...47, about: 4) == [20, 40])
        #expect(PlotPanel.marks(0...0, about: 4) == [0])
        #expect(0.125.short == "0.13" && 2.0.short == "2" && 0.0125.short == "0.0125" && (-3.5).short == "-3.5")
    }
}
