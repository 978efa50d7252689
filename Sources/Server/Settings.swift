import API
import Core
import HTTP1
import Net
import ServerConfig

// The configuration file's words in the words of the modules. `ServerConfig` knows none of them, and none knows it.

extension NetConfiguration {
    init(_ settings: ServerConfiguration.HTTP) {
        self.init()
        requestLimits.target = settings.limits.target
        requestLimits.headerLine = settings.limits.headerLine
        requestLimits.headerCount = settings.limits.headerCount
        requestLimits.headerTotal = settings.limits.headerTotal
        requestLimits.body = settings.limits.body
        inflatedBody = settings.limits.inflatedBody
        bodiesTotal = settings.limits.bodiesTotal
        requestLimits.chunkExtensions = settings.limits.chunkExtensions
        requestLimits.trailers = settings.limits.trailers
        maxConnections = settings.maxConnections
        maxConnectionsPerAddress = settings.maxConnectionsPerAddress
        lanes = settings.lanes
        maxPipelined = settings.maxPipelined
        headerTimeout = settings.timeouts.header
        bodyTimeout = settings.timeouts.body
        minimumBodyRate = settings.minimumBodyRate
        keepAliveTimeout = settings.timeouts.keepAlive
        writeTimeout = settings.timeouts.write
        minimumWriteRate = settings.minimumWriteRate
        lingerTimeout = settings.timeouts.linger
        unsentLimit = settings.unsentLimit
        drainedBody = settings.drainedBody
        halfClose =
            switch settings.halfClose {
            case .probe: .probe(after: settings.timeouts.halfCloseProbe)
            case .answer: .answer
            case .cancel: .cancel
            }
        compression = CompressionPolicy(settings.compression)
    }
}

extension CompressionPolicy {
    /// Nil: compression is off.
    init?(_ settings: ServerConfiguration.HTTP.Compression) {
        guard settings.enabled else { return nil }
        self.init()
        minimumSize = settings.minimumSize
        level = settings.level
    }
}

extension APIOptions {
    init(_ configuration: ServerConfiguration) {
        self.init()
        hasPlayground = configuration.server.playground
        acceptAnyModel = configuration.model.acceptAnyModel
        defaultChains = configuration.model.defaultChains
        defaultBudget = LatencyBudget(whole: configuration.model.defaultBudget)
        pingInterval = configuration.streaming.pingInterval
        maximumN = configuration.limits.n
        maximumPrompts = configuration.limits.prompts
        maximumChoices = min(
            configuration.limits.choices,
            configuration.scheduler.maxRunning + configuration.scheduler.maxQueued
        )
        maximumStops = configuration.limits.stops
        maximumStopBytes = configuration.limits.stopBytes
    }
}
