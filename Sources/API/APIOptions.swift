import Core

/// What an operator decides about the API. Defaults are those of the configuration file.
public struct APIOptions: Sendable, Hashable {
    /// Answer whatever model name a request gives, instead of 404 for names that are not the model's.
    public var acceptAnyModel = false
    /// For requests that say nothing about chains.
    public var defaultChains = ChainSelection.auto
    /// For requests that set no limit.
    public var defaultBudget = LatencyBudget.none
    /// How long a stream may be silent before a `: ping` comment keeps proxies from closing it.
    public var pingInterval: Duration = .seconds(15)
    /// The most `n` and `best_of` of one request.
    public var maximumN = 16
    /// The most prompts of one request.
    public var maximumPrompts = 64
    /// The most choices (prompts times `n`, or `best_of`) of one request.
    public var maximumChoices = 128
    /// The most stop strings of one request.
    public var maximumStops = 16
    /// The longest stop string, in bytes of UTF-8.
    public var maximumStopBytes = 256
    /// Whether `/` is the playground.
    public var hasPlayground = true

    public init() {}
}
