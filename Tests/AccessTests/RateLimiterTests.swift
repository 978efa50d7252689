import Testing

@testable import Access

@Suite struct RateLimiterTests {
    private let limiter = RateLimiter()
    private let start = ContinuousClock.now

    private func key(_ fields: String, text: String = "k") throws -> AccessKey {
        try AccessKey(line: "\(KeyHash(of: text)) \(fields)")
    }

    @Test func requestsAMinute() throws {
        let key = try key("name=a requests_per_minute=2")
        try limiter.takeRequest(key, at: start)
        try limiter.takeRequest(key, at: start)
        #expect(throws: LimitReached.requests(limit: 2, wait: .seconds(30))) {
            try limiter.takeRequest(key, at: start)
        }
        try limiter.takeRequest(key, at: start + .seconds(30))
        let levels = limiter.levels(of: key, at: start + .seconds(30))
        #expect(levels.requests == .init(limit: 2, remaining: 0, reset: .seconds(60)))
        #expect(levels.tokens == nil)
    }

    /// A completion reserves the most that it may take, and gives back what it did not.
    @Test func tokensAMinute() throws {
        let key = try key("name=a tokens_per_minute=100")
        let first = try limiter.reserve(70, for: key, at: start)
        #expect(throws: LimitReached.tokens(limit: 100, asked: 60, wait: .seconds(18))) {
            try limiter.reserve(60, for: key, at: start)
        }
        #expect(limiter.levels(of: key, at: start).tokens?.remaining == 30)
        limiter.settle(first, used: 20, at: start)
        #expect(limiter.levels(of: key, at: start).tokens?.remaining == 80)
        #expect(throws: LimitReached.tooManyTokens(limit: 100, asked: 101)) {
            try limiter.reserve(101, for: key, at: start)
        }
        let second = try limiter.reserve(80, for: key, at: start)
        limiter.settle(second, used: 200, at: start)
        #expect(limiter.levels(of: key, at: start).tokens?.remaining == 0)
    }

    @Test func atTheSameTime() throws {
        let key = try key("name=a max_concurrent=2 tokens_per_minute=100")
        let first = try limiter.reserve(10, for: key, at: start)
        _ = try limiter.reserve(10, for: key, at: start)
        #expect(throws: LimitReached.concurrent(limit: 2)) { try limiter.reserve(10, for: key, at: start) }
        // The refused one took nothing.
        #expect(limiter.levels(of: key, at: start).tokens?.remaining == 80)
        limiter.settle(first, used: 0, at: start)
        _ = try limiter.reserve(10, for: key, at: start)
        // One that is refused for its tokens does not run.
        #expect(throws: LimitReached.self) { try limiter.reserve(1000, for: key, at: start) }
    }

    @Test func keysOfOneNameShareAndOthersDoNot() throws {
        let (old, new) = (try key("name=a requests_per_minute=1"), try key("name=a requests_per_minute=1", text: "new"))
        try limiter.takeRequest(old, at: start)
        #expect(throws: LimitReached.self) { try limiter.takeRequest(new, at: start) }
        try limiter.takeRequest(key("name=b requests_per_minute=1"), at: start)
    }

    /// A reload that raises a limit does not forget what was used.
    @Test func limitsFollowTheKey() throws {
        try limiter.takeRequest(key("name=a requests_per_minute=1"), at: start)
        let raised = try key("name=a requests_per_minute=3")
        #expect(limiter.levels(of: raised, at: start).requests?.remaining == 2)
        let free = try key("name=a")
        for _ in 0..<10 { try limiter.takeRequest(free, at: start) }
        #expect(limiter.levels(of: free, at: start) == LimitLevels(requests: nil, tokens: nil))
    }
}
