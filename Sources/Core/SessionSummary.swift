/// One session as `GET /v1/sessions` shows it.
public struct SessionSummary: Sendable, Hashable {
    /// Where a session's KV is.
    public enum Tier: String, Sendable, Hashable {
        case memory, disk, redis
    }

    public var id: String
    /// Tokens of the conversation; the last of them may have no KV yet. Nil for a snapshot that was not read yet.
    public var tokens: Int?
    /// Every tier that holds it, the fastest first.
    public var tiers: [Tier]
    /// Bytes of its keys and values, or of its snapshot where only that exists.
    public var bytes: Int
    /// Seconds since it was last used.
    public var idle: Double

    public init(id: String, tokens: Int?, tiers: [Tier], bytes: Int, idle: Double) {
        self.id = id
        self.tokens = tokens
        self.tiers = tiers
        self.bytes = bytes
        self.idle = idle
    }
}
