import Testing

@testable import Redis

@Suite struct CircuitBreakerTests {
    private let start = ContinuousClock.now
    private var breaker = CircuitBreaker(.init(failures: 3, pause: .seconds(5)))

    /// Macros cannot call what changes a value.
    private mutating func mayAsk(at seconds: Double) -> Bool { breaker.permits(now: at(seconds)) }

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test mutating func failuresInARowOpenIt() {
        for second in 0..<2 {
            let asks1 = mayAsk(at: Double(second))
            #expect(asks1)
            breaker.failed(now: at(Double(second)))
        }
        #expect(breaker.state == .closed(failures: 2))
        breaker.succeeded()
        #expect(breaker.state == .closed(failures: 0))
        for _ in 0..<3 { breaker.failed(now: at(3)) }
        #expect(breaker.state == .open(until: at(8)))
        let asks2 = mayAsk(at: 7.9)
        #expect(!asks2)
    }

    @Test mutating func oneTriesWhenThePauseIsOver() {
        for _ in 0..<3 { breaker.failed(now: at(0)) }
        let asks3 = mayAsk(at: 5)
        #expect(asks3)
        #expect(breaker.state == .halfOpen(until: at(10)))
        let asks4 = mayAsk(at: 6)
        #expect(!asks4)
        breaker.succeeded()
        #expect(breaker.state == .closed(failures: 0))
        let asks5 = mayAsk(at: 6)
        #expect(asks5)
        let asks6 = mayAsk(at: 6)
        #expect(asks6)
    }

    @Test mutating func whoTriesInVainOpensItAgain() {
        for _ in 0..<3 { breaker.failed(now: at(0)) }
        let asks7 = mayAsk(at: 5)
        #expect(asks7)
        breaker.failed(now: at(6))
        #expect(breaker.state == .open(until: at(11)))
        let asks8 = mayAsk(at: 10)
        #expect(!asks8)
        let asks9 = mayAsk(at: 11)
        #expect(asks9)
    }

    /// A caller whose result never comes does not keep it half open for ever.
    @Test mutating func anotherTriesWhenTheFirstIsLost() {
        for _ in 0..<3 { breaker.failed(now: at(0)) }
        let asks10 = mayAsk(at: 5)
        #expect(asks10)
        let asks11 = mayAsk(at: 10)
        #expect(asks11)
    }

    /// Callers that asked before it opened fail one after the other: the pause does not grow with them.
    @Test mutating func lateFailuresDoNotProlongThePause() {
        for _ in 0..<3 { breaker.failed(now: at(0)) }
        breaker.failed(now: at(4))
        #expect(breaker.state == .open(until: at(5)))
    }
}
