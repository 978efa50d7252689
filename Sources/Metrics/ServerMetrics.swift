/// All metrics of a server: what its parts write, and the page that scrapers read.
public final class ServerMetrics: Sendable {
    public let requests = RequestMetrics()
    public let engine = EngineMetrics()
    public let access = AccessMetrics()
    public let redis = RedisMetrics()

    public init() {}

    /// The media type of ``page(model:chains:aliases:)``.
    public static let contentType = MetricsText.contentType

    /// The page of `GET /metrics`, in Prometheus' text format.
    ///
    /// - Parameters:
    ///   - model: its name; nil while it is loading.
    ///   - chains: of the model.
    ///   - aliases: whether the series are also given under vLLM's names. Those have colons, which `promtool check metrics`
    ///     complains about.
    public func page(model: String?, chains: Int, aliases: Bool = true) -> [UInt8] {
        var text = MetricsText()
        writeRequests(chains: chains, to: &text)
        writeEngine(to: &text)
        writeAccess(to: &text)
        redis.write(to: &text)
        if aliases, let model { writeAliases(model: model, to: &text) }
        return text.bytes
    }
}
