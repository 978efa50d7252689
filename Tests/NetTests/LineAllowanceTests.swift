import Testing

@testable import Net

@Suite struct LineAllowanceTests {
    private static let second: UInt64 = 1_000_000_000

    @Test func aFewInEachPeriodAndHowManyWereNot() {
        var allowance = LineAllowance(most: 2, per: .seconds(10))
        // From the first line on, whenever that comes.
        let start = 7 * Self.second
        let seconds: [UInt64] = [0, 1, 2, 9, 10, 11, 12, 30, 45]
        let taken = seconds.map { allowance.take(now: start + $0 * Self.second) }
        #expect(taken == [0, 0, nil, nil, 2, 0, nil, 1, 0])
    }

    /// Another thread looked at the clock before the one that began the period.
    @Test func readingsOutOfOrder() {
        var allowance = LineAllowance(most: 1, per: .seconds(10))
        #expect(allowance.take(now: 5) == 0)
        #expect(allowance.take(now: 4) == nil)
        #expect(allowance.take(now: 5 + 10 * Self.second) == 1)
    }
}
