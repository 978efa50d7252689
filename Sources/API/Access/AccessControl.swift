import Access

/// Who may do what, and what is written down about it. As it stands: everybody everything, and nothing.
public struct AccessControl: Sendable {
    /// Nil: no key is needed, and one that is shown is ignored.
    public var keys: KeyStore?
    public let limiter = RateLimiter()
    public var proxies = TrustedProxies()
    /// Whether `/metrics` needs a key where others do.
    public var guardsMetrics = true
    /// Nil: pages of other origins may not read answers.
    public var cors: CORSPolicy?
    /// Hears of every request when it is over. Nil: nobody does.
    public var log: (any AccessLogSink)?
    /// Whether the log is told prompts.
    public var logsPrompts = false

    public init() {}
}

/// Takes the lines of the access log. Called from threads that must not wait.
public protocol AccessLogSink: Sendable {
    func record(_ entry: AccessEntry)
}
