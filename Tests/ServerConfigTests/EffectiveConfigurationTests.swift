import Foundation
import ServerConfig
import Testing

@Suite struct EffectiveConfigurationTests {
    private let yaml = "server: {port: 1, host: a}\n"

    @Test func flagsBeforeEnvironmentBeforeFileBeforeDefaults() throws {
        let environment = ["CATENA_SERVER_PORT": "2", "CATENA_LOG_LEVEL": "debug", "CATENA_SERVER_HOST": ""]
        let flags = [
            ConfigurationFlag(path: "server.port", text: "3", flag: "--port"),
            ConfigurationFlag(path: "model.path", text: "m", flag: "--model"),
        ]
        let file = try EffectiveConfiguration(yaml: yaml, name: "c.yaml")
        #expect(file.values.server.port == 1)
        #expect(file.origin(of: "server.port") == .file(name: "c.yaml", line: 1, column: 16))
        #expect(file.origin(of: "log.level") == .defaultValue)

        let variables = try EffectiveConfiguration(yaml: yaml, name: "c.yaml", environment: environment)
        #expect(variables.values.server.port == 2)
        #expect(variables.values.server.host == "a", "an empty variable counts as none")
        #expect(variables.values.log.level == .debug)
        #expect(variables.origin(of: "server.port") == .environment("CATENA_SERVER_PORT"))

        let all = try EffectiveConfiguration(yaml: yaml, name: "c.yaml", environment: environment, flags: flags)
        #expect(all.values.server.port == 3)
        #expect(all.values.model.path == "m")
        #expect(all.origin(of: "server.port") == .flag("--port"))
    }

    /// A text needs no quotes where there are none to be had.
    @Test func variablesAreOfTheTypeThatTheKeyNeeds() throws {
        let environment = ["CATENA_MODEL_NAME": "7", "CATENA_SERVER_UNIX_SOCKET": "null", "CATENA_SERVER_PORT": "7"]
        let values = try EffectiveConfiguration(yaml: "", name: "", environment: environment).values
        #expect(values.model.name == "7")
        #expect(values.server.unixSocket == nil)
        #expect(values.server.port == 7)
    }

    @Test func warnsOfVariablesThatAreNoKeys() throws {
        let environment = [
            "CATENA_SERVER_PROT": "1", "CATENA_STRICT": "1", "CATENA_CPU": "avx2", "PATH": "/bin",
            "CATENA_SERVICE_HOST": "10.0.0.1",
        ]
        let configuration = try EffectiveConfiguration(yaml: "", name: "", environment: environment)
        #expect(
            configuration.warnings.map(\.description) == [
                "environment variable CATENA_SERVER_PROT: this is no key of Catena; did you mean CATENA_SERVER_PORT?",
                "environment variable CATENA_SERVICE_HOST: this is no key of Catena; did you mean CATENA_SERVER_HOST?",
            ]
        )
    }

    /// Neither the values in force nor a complaint about them shows a password.
    @Test func passwordsAreNotShown() throws {
        let environment = ["CATENA_SESSIONS_REDIS_PASSWORD": "hush-hush"]
        let configuration = try EffectiveConfiguration(yaml: "", name: "", environment: environment)
        #expect(configuration.values.sessions.redis.password == "hush-hush")
        #expect(!configuration.describe().contains("hush"))
        let line = #"    password: "(not shown)"  # environment variable CATENA_SESSIONS_REDIS_PASSWORD"#
        #expect(configuration.describe().components(separatedBy: "\n").contains(line))
        // A file may hold one that looks like a number.
        let file = try EffectiveConfiguration(yaml: "sessions: {redis: {password: 007}}", name: "c.yaml")
        #expect(file.values.sessions.redis.password == "007")
        #expect(try EffectiveConfiguration(yaml: "", name: "").describe().contains("    password: null  # default"))
    }

    @Test func describesItself() throws {
        let description = try EffectiveConfiguration(
            yaml: yaml,
            name: "c.yaml",
            environment: ["CATENA_MODEL_NAME": "a \"b\"\\\n"]
        ).describe()
        #expect(
            description.hasPrefix(
                """
                server:
                  host: "a"  # c.yaml:1:25
                  port: 1  # c.yaml:1:16
                  plain: true  # default
                  unix_socket: null  # default
                  playground: true  # default
                  tls:
                    port: null  # default
                    certificate: null  # default
                    key: null  # default
                  trusted_proxies: []  # default
                keys:
                  list: []  # default
                  file: null  # default
                  guard_metrics: true  # default
                cors:
                  origins: []  # default
                  max_age: 10m  # default
                http:
                  limits:
                    target: 8KiB  # default

                """
            )
        )
        #expect(description.contains(#"  name: "a \"b\"\\\n"  # environment variable CATENA_MODEL_NAME"#))
    }

    /// What is printed can be read again, and is the same.
    @Test(arguments: [
        "",
        "server: {host: \"1\", unix_socket: \"a: # b\"}\nkv_cache: {size: 33.5%}\nsessions: {ttl: 90m}\n",
        "model: {default_chains: 2-3, max_chains: 4, name: \"null\"}\nhttp: {timeouts: {linger: 0}}\n",
        "server: {trusted_proxies: [10.0.0.0/8, unix]}\ncors: {origins: [\"*\"]}\nlog: {access: \"7\"}\n",
        "kv_cache: {size: 1234567}\nscheduler: {max_queued: 0}\ncompute: {threads: 3}\n",
    ])
    func descriptionsComeBack(yaml: String) throws {
        let configuration = try EffectiveConfiguration(yaml: yaml, name: "a")
        let again = try EffectiveConfiguration(yaml: configuration.describe(), name: "b")
        #expect(again.values == configuration.values)
    }
}
