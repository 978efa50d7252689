import ArgumentParser
import CShims
import Dispatch
import Foundation
import Glibc
import Logging
import Server
import ServerConfig

/// `catena serve`: the server.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve a model over HTTP.",
        discussion: """
            Answers the OpenAI-compatible API on POST /v1/completions and GET /v1/models, and probes on GET /health \
            and /readyz. SIGTERM or SIGINT drains: running answers are finished, then the process ends with status 0; \
            a second signal ends it at once. SIGHUP reads the TLS certificate \
            and the keys again, and reopens the access log.

              catena serve --model Models/catena-fable-16m --port 8080
              catena serve --config config.yaml --set scheduler.max_running=8
            """
    )

    @OptionGroup var arguments: ConfigurationArguments

    func run() throws {
        let configuration = try arguments.load()
        let level = Logger.Level(rawValue: configuration.values.log.level.rawValue) ?? .info
        let log = Logger(label: "catena") { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        for warning in configuration.warnings { log.warning("\(warning)") }
        signal(SIGPIPE, SIG_IGN)
        // Session snapshots and large bodies come and go; what they leave behind would be most of the process.
        catena_keep_large_buffers_apart(256 << 10)
        try Self.serve(configuration.values, log: log)
    }

    /// Runs until a signal ends the process.
    ///
    /// Not on the main actor: its closures run on Dispatch queues.
    private nonisolated static func serve(_ configuration: ServerConfiguration, log: Logger) throws {
        let server = try CatenaServer(configuration: configuration, log: log)
        let queue = DispatchQueue(label: "catena.signals")
        let reload = ReloadSignal(queue: queue) {
            log.info("SIGHUP: reading keys and certificate again")
            server.reload()
        }
        let signals = ShutdownSignals(queue: queue) { name in
            log.info("\(name): draining; once more ends at once")
            server.drain {
                log.info("drained")
                Glibc.exit(0)
            }
        }
        try server.start()
        withExtendedLifetime((signals, reload)) { dispatchMain() }
    }
}
