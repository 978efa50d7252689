import ArgumentParser
import Foundation
import ServerConfig

/// The flags that make up the server's configuration, for `serve` and `check-config`.
struct ConfigurationArguments: ParsableArguments {
    @Option(name: .shortAndLong, help: "The configuration file (default: $CATENA_CONFIG, or none).")
    var config: String?

    @Option(name: .shortAndLong, help: "The model's folder (model.path).")
    var model: String?

    @Option(help: "The address to listen on (server.host).")
    var host: String?

    @Option(name: .shortAndLong, help: "The port to listen on (server.port).")
    var port: String?

    @Option(help: "Threads that compute (compute.threads).")
    var threads: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("Any setting of config.yaml, may be repeated.", valueName: "key=value")
    )
    var settings: [String] = []

    func validate() throws {
        for setting in settings where !setting.contains("=") {
            throw ValidationError("--set \(setting): expected key=value, as in --set scheduler.max_running=8.")
        }
    }

    /// Flags over environment over file over defaults.
    func load() throws -> EffectiveConfiguration {
        let environment = ProcessInfo.processInfo.environment
        let file = config ?? environment["CATENA_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        return try EffectiveConfiguration(file: file, environment: environment, flags: flags)
    }

    private var flags: [ConfigurationFlag] {
        let named = [
            ("model.path", model, "--model"), ("server.host", host, "--host"), ("server.port", port, "--port"),
            ("compute.threads", threads, "--threads"),
        ]
        let own = named.compactMap { path, text, flag in
            text.map { ConfigurationFlag(path: path, text: $0, flag: flag) }
        }
        return own
            + settings.map { setting in
                let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                return ConfigurationFlag(path: String(parts[0]), text: String(parts[1]), flag: "--set")
            }
    }
}
