import API
import Access
import Core
import HTTP1
import Net
import Redis
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

extension AccessControl {
    init(_ configuration: ServerConfiguration, log: AccessLog?) {
        self.init()
        let settings = configuration.keys
        if settings.areNeeded { keys = KeyStore(lines: settings.list, file: settings.file) }
        guardsMetrics = settings.guardMetrics
        let proxies = configuration.server.trustedProxies
        self.proxies = TrustedProxies(
            proxies.compactMap { AddressRange($0) },
            trustsUnixSockets: proxies.contains("unix")
        )
        cors = CORSPolicy(configuration.cors)
        self.log = log
        logsPrompts = configuration.log.prompts
    }
}

extension CORSPolicy {
    /// Nil: no other origin may.
    init?(_ settings: ServerConfiguration.CORS) {
        guard !settings.origins.isEmpty else { return nil }
        self.init(
            origins: settings.origins == ["*"] ? .any : .these(Set(settings.origins)),
            maxAge: settings.maxAge
        )
    }
}

extension AccessLog.Target {
    init(_ setting: String) {
        switch setting {
        case "stdout": self = .standardOutput
        case "stderr": self = .standardError
        default: self = .file(setting)
        }
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

extension RedisEndpoint.Place {
    /// Nil: there is no Redis.
    init?(_ settings: ServerConfiguration.Sessions.Redis) {
        if let path = settings.unixSocket {
            self = .unix(path: path)
        } else if let host = settings.host {
            // The table of settings keeps the port within its bounds.
            self = .tcp(host: host, port: UInt16(settings.port))
        } else {
            return nil
        }
    }
}

extension RedisSnapshots.Settings {
    /// - Throws: ``StartError`` for a password file that cannot be used.
    init(
        _ settings: ServerConfiguration.Sessions.Redis,
        place: RedisEndpoint.Place,
        maxBytes: Int
    ) throws(StartError) {
        var endpoint = RedisEndpoint(place)
        endpoint.user = settings.user
        endpoint.database = settings.database
        if let path = settings.passwordFile {
            endpoint.password = .file(path: path)
        } else if let password = settings.password {
            endpoint.password = .text(password)
        }
        do throws(RedisError) {
            _ = try endpoint.readPassword()
        } catch {
            throw .redisPassword("\(error)")
        }
        self.init(endpoint: endpoint, maxBytes: maxBytes)
        prefix = settings.prefix
        timeToLive = settings.ttl
        lookupTimeout = settings.lookupTimeout
        commandTimeout = settings.commandTimeout
        connectTimeout = settings.connectTimeout
        minimumRate = settings.minimumRate
        chunkBytes = settings.chunk
        compresses = settings.compress
        breaker = .init(failures: settings.breaker.failures, pause: settings.breaker.pause)
    }
}
