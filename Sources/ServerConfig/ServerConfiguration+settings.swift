import Access

/// The table of keys, in the order of the file.
extension ServerConfiguration {
    private static let anyTime = Duration.milliseconds(1)...Duration.seconds(24 * 3600)
    private static let zeroOrMore = Duration.zero...Duration.seconds(24 * 3600)
    private static let count = 1...1_000_000

    private static let trustedProxies = ValueForm.list(
        "addresses such as 10.0.0.1, ranges such as 10.0.0.0/8, or unix"
    ) { $0 == "unix" || AddressRange($0) != nil }

    private static let keyLines = ValueForm.list("keys as catena make-key prints them, \"sha256:... name=alice\"") {
        (try? AccessKey(line: $0)) != nil
    }

    /// RFC 6454, section 6.2: a scheme, a host and perhaps a port, as browsers send it.
    private static let origins = ValueForm.list("origins such as https://example.com, or *") { text in
        guard text != "*" else { return true }
        let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        return parts.count == 2 && !parts[0].isEmpty && !parts[1].isEmpty && text == text.lowercased()
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) } && !parts[1].contains { "/?#@*,".contains($0) }
    }

    static let settings: [Setting] = [
        Setting("server.host", \.server.host, .text("a numeric address or localhost")),
        Setting("server.port", \.server.port, .integer(0...65535)),
        Setting("server.plain", \.server.plain, .bool),
        Setting("server.unix_socket", \.server.unixSocket, .optional(.text("a path"), none: "null")),
        Setting("server.playground", \.server.playground, .bool),
        Setting("server.tls.port", \.server.tls.port, .optional(.integer(0...65535), none: "null")),
        Setting("server.tls.certificate", \.server.tls.certificate, .optional(.text("a path"), none: "null")),
        Setting("server.tls.key", \.server.tls.key, .optional(.text("a path"), none: "null")),
        Setting("server.trusted_proxies", \.server.trustedProxies, trustedProxies),

        Setting("keys.list", \.keys.list, keyLines),
        Setting("keys.file", \.keys.file, .optional(.text("a path"), none: "null")),
        Setting("keys.guard_metrics", \.keys.guardMetrics, .bool),

        Setting("cors.origins", \.cors.origins, origins),
        Setting("cors.max_age", \.cors.maxAge, .duration(zeroOrMore)),

        Setting("http.limits.target", \.http.limits.target, .bytes(atLeast: 64)),
        Setting("http.limits.header_line", \.http.limits.headerLine, .bytes(atLeast: 256)),
        Setting("http.limits.header_count", \.http.limits.headerCount, .integer(8...10_000)),
        Setting("http.limits.header_total", \.http.limits.headerTotal, .bytes(atLeast: 1 << 10)),
        Setting("http.limits.body", \.http.limits.body, .bytes(atLeast: 1 << 10)),
        Setting("http.limits.inflated_body", \.http.limits.inflatedBody, .bytes(atLeast: 1 << 10)),
        Setting("http.limits.bodies_total", \.http.limits.bodiesTotal, .bytes(atLeast: 1 << 20)),
        Setting("http.limits.chunk_extensions", \.http.limits.chunkExtensions, .bytes(atLeast: 0)),
        Setting("http.limits.trailers", \.http.limits.trailers, .bytes(atLeast: 0)),
        Setting("http.timeouts.header", \.http.timeouts.header, .duration(anyTime)),
        Setting("http.timeouts.body", \.http.timeouts.body, .duration(anyTime)),
        Setting("http.timeouts.keep_alive", \.http.timeouts.keepAlive, .duration(anyTime)),
        Setting("http.timeouts.write", \.http.timeouts.write, .duration(anyTime)),
        Setting("http.timeouts.half_close_probe", \.http.timeouts.halfCloseProbe, .duration(anyTime)),
        Setting("http.timeouts.linger", \.http.timeouts.linger, .duration(zeroOrMore)),
        Setting("http.compression.enabled", \.http.compression.enabled, .bool),
        Setting("http.compression.minimum_size", \.http.compression.minimumSize, .bytes(atLeast: 0)),
        Setting("http.compression.level", \.http.compression.level, .integer(1...9)),
        Setting("http.max_connections", \.http.maxConnections, .integer(count)),
        Setting(
            "http.max_connections_per_address",
            \.http.maxConnectionsPerAddress,
            .optional(.integer(count), none: "null")
        ),
        Setting("http.lanes", \.http.lanes, .integer(1...256)),
        Setting("http.max_pipelined", \.http.maxPipelined, .integer(1...1024)),
        Setting("http.minimum_body_rate", \.http.minimumBodyRate, .bytes(atLeast: 1)),
        Setting("http.minimum_write_rate", \.http.minimumWriteRate, .bytes(atLeast: 1)),
        Setting("http.unsent_limit", \.http.unsentLimit, .bytes(atLeast: 16 << 10)),
        Setting("http.drained_body", \.http.drainedBody, .bytes(atLeast: 0)),
        Setting("http.half_close", \.http.halfClose, .word),

        Setting("model.path", \.model.path, .text("the path of a folder")),
        Setting("model.name", \.model.name, .optional(.text("a name"), none: "null")),
        Setting("model.default_chains", \.model.defaultChains, .chains),
        Setting("model.default_budget", \.model.defaultBudget, .optional(.duration(anyTime), none: "null")),
        Setting("model.max_chains", \.model.maxChains, .optional(.integer(1...64), none: "null")),
        Setting("model.accept_any_model", \.model.acceptAnyModel, .bool),
        Setting("model.chat_template", \.model.chatTemplate, .word),
        Setting("model.weights", \.model.weights, .word),

        Setting("compute.threads", \.compute.threads, .optional(.integer(1...1024), none: "auto")),
        Setting("compute.backend", \.compute.backend, .word),

        Setting("kv_cache.size", \.kvCache.size, .memory),
        Setting("kv_cache.dtype", \.kvCache.dtype, .word),
        Setting("kv_cache.block_tokens", \.kvCache.blockTokens, .integer(16...1024, multipleOf: 16)),
        Setting("kv_cache.prefix_cache", \.kvCache.prefixCache, .bool),

        Setting("scheduler.max_running", \.scheduler.maxRunning, .integer(1...4096)),
        Setting("scheduler.max_queued", \.scheduler.maxQueued, .integer(0...1_000_000)),
        Setting("scheduler.step_tokens", \.scheduler.stepTokens, .integer(1...65536)),
        Setting("scheduler.calibration", \.scheduler.calibration, .duration(.zero...(.seconds(60)))),
        Setting("scheduler.eagerness", \.scheduler.eagerness, .number(0...100)),

        Setting("sessions.max", \.sessions.max, .integer(0...1_000_000)),
        Setting("sessions.ttl", \.sessions.ttl, .duration(anyTime)),
        Setting("sessions.disk.path", \.sessions.disk.path, .optional(.text("the path of a folder"), none: "null")),
        Setting("sessions.disk.size", \.sessions.disk.size, .bytes(atLeast: 1 << 20)),
        Setting("sessions.disk.ttl", \.sessions.disk.ttl, .duration(anyTime)),
        Setting("sessions.disk.write_behind", \.sessions.disk.writeBehind, .bytes(atLeast: 1 << 20)),

        Setting(
            "sessions.redis.host",
            \.sessions.redis.host,
            .optional(.text("a name or a numeric address"), none: "null")
        ),
        Setting("sessions.redis.port", \.sessions.redis.port, .integer(1...65535)),
        Setting("sessions.redis.unix_socket", \.sessions.redis.unixSocket, .optional(.text("a path"), none: "null")),
        Setting("sessions.redis.user", \.sessions.redis.user, .optional(.text("a name"), none: "null")),
        Setting("sessions.redis.password", \.sessions.redis.password, .optional(.secret, none: "null")),
        Setting(
            "sessions.redis.password_file",
            \.sessions.redis.passwordFile,
            .optional(.text("the path of a file"), none: "null")
        ),
        Setting("sessions.redis.database", \.sessions.redis.database, .integer(0...1_000_000)),
        Setting("sessions.redis.tls", \.sessions.redis.tls, .bool),
        Setting("sessions.redis.prefix", \.sessions.redis.prefix, .text("the beginning of keys")),
        Setting("sessions.redis.ttl", \.sessions.redis.ttl, .duration(.seconds(1)...(.seconds(30 * 24 * 3600)))),
        Setting("sessions.redis.lookup_timeout", \.sessions.redis.lookupTimeout, .duration(anyTime)),
        Setting("sessions.redis.command_timeout", \.sessions.redis.commandTimeout, .duration(anyTime)),
        Setting("sessions.redis.connect_timeout", \.sessions.redis.connectTimeout, .duration(anyTime)),
        Setting("sessions.redis.minimum_rate", \.sessions.redis.minimumRate, .bytes(atLeast: 1 << 10)),
        Setting("sessions.redis.chunk", \.sessions.redis.chunk, .bytes(atLeast: 64 << 10)),
        Setting("sessions.redis.compress", \.sessions.redis.compress, .bool),
        Setting("sessions.redis.write_behind", \.sessions.redis.writeBehind, .bytes(atLeast: 1 << 20)),
        Setting("sessions.redis.breaker.failures", \.sessions.redis.breaker.failures, .integer(1...1000)),
        Setting("sessions.redis.breaker.pause", \.sessions.redis.breaker.pause, .duration(anyTime)),

        Setting("limits.prompts", \.limits.prompts, .integer(count)),
        Setting("limits.n", \.limits.n, .integer(1...1024)),
        Setting("limits.choices", \.limits.choices, .integer(count)),
        Setting("limits.stops", \.limits.stops, .integer(0...1024)),
        Setting("limits.stop_bytes", \.limits.stopBytes, .integer(1...65536)),

        Setting("streaming.ping_interval", \.streaming.pingInterval, .duration(.seconds(1)...(.seconds(3600)))),

        Setting("shutdown.grace", \.shutdown.grace, .duration(zeroOrMore)),
        Setting("shutdown.deadline", \.shutdown.deadline, .duration(zeroOrMore)),

        Setting("log.level", \.log.level, .word),
        Setting("log.access", \.log.access, .optional(.text("stdout, stderr or the path of a file"), none: "null")),
        Setting("log.access_buffer", \.log.accessBuffer, .bytes(atLeast: 4 << 10)),
        Setting("log.prompts", \.log.prompts, .bool),
    ]
}
