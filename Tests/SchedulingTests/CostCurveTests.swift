import Scheduling
import Testing

@Suite struct CostCurveTests {
    @Test func straightLinesBetweenPoints() {
        let curve = CostCurve([.init(rows: 4, seconds: 8), .init(rows: 1, seconds: 2), .init(rows: 8, seconds: 8)])
        #expect(curve.seconds(rows: 0) == 0)
        #expect(curve.seconds(rows: 1) == 2)
        #expect(curve.seconds(rows: 2) == 4)
        #expect(curve.seconds(rows: 4) == 8)
        #expect(curve.seconds(rows: 6) == 8)
        #expect(curve.seconds(rows: 100) == 8)
    }

    @Test func noiseThatFallsIsRaised() {
        let curve = CostCurve([.init(rows: 1, seconds: 3), .init(rows: 2, seconds: 1), .init(rows: 4, seconds: 5)])
        #expect(curve.seconds(rows: 2) == 3)
        #expect(curve.seconds(rows: 3) == 4)
    }

    @Test func aSinglePointGrowsInProportion() {
        let curve = CostCurve([.init(rows: 10, seconds: 1)])
        #expect(curve.seconds(rows: 5) == 0.5)
        #expect(curve.seconds(rows: 20) == 2)
    }
}
