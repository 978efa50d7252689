import Foundation
import ServerConfig
import Testing

@testable import ServerConfig

@Suite struct ConfigurationFileTests {
    @Test(arguments: [
        ("server:\n  prot: 1\n", "c.yaml:2:3: unknown key 'server.prot'; did you mean 'server.port'?"),
        ("sever:\n  port: 1\n", "c.yaml:1:1: unknown key 'sever'; did you mean 'server'?"),
        ("port: 1\n", "c.yaml:1:1: unknown key 'port'; did you mean 'server.port'?"),
        ("http:\n  limit: {}\n", "c.yaml:2:3: unknown key 'http.limit'; did you mean 'http.limits'?"),
        ("http: {unix_socket: a}", "c.yaml:1:8: unknown key 'http.unix_socket'; did you mean 'server.unix_socket'?"),
        ("frobnicate: 1\n", "c.yaml:1:1: unknown key 'frobnicate'."),
        ("server: 8080\n", "c.yaml:1:9: server must be a section of keys; got 8080."),
        ("http: {limits: [1]}", "c.yaml:1:16: http.limits must be a section of keys; got a list."),
        ("- a\n", "c.yaml:1:1: the file must be a section of keys; got a list."),
        ("just text\n", "c.yaml:1:1: the file must be a section of keys; got just text."),
        ("[a]: 1\n", "c.yaml:1:1: a key must be a word; got a list."),
        ("server:\n  port: 1\n  port: 2\n", "c.yaml:2:3: the section that begins here has 'port' more than once."),
        ("server: {port: 1\n", "c.yaml:2:1: this is not YAML: did not find expected ',' or '}'."),
        ("\tserver: 1\n", "c.yaml:1:1: this is not YAML: found character that cannot start any token."),
    ])
    func findsMistakes(yaml: String, message: String) {
        let error = #expect(throws: ConfigurationError.self) { try EffectiveConfiguration(yaml: yaml, name: "c.yaml") }
        #expect(error?.description == message)
    }

    @Test func reportsEverythingAtOnce() {
        let yaml = """
            server:
              port: -1
              hots: a
            model:
              max_chains: many
            """
        let error = #expect(throws: ConfigurationError.self) {
            try EffectiveConfiguration(
                yaml: yaml,
                name: "c.yaml",
                environment: ["CATENA_LOG_LEVEL": "loud"],
                flags: [
                    ConfigurationFlag(path: "compute.threads", text: "none", flag: "--threads"),
                    ConfigurationFlag(path: "server.prt", text: "1", flag: "--set"),
                ]
            )
        }
        #expect(
            error?.description == """
                c.yaml:3:3: unknown key 'server.hots'; did you mean 'server.host'?
                c.yaml:2:9: server.port must be an integer from 0 to 65535; got -1.
                c.yaml:5:15: model.max_chains must be an integer from 1 to 64, or null; got many.
                environment variable CATENA_LOG_LEVEL: log.level must be trace, debug, info, notice, warning, error or \
                critical; got loud.
                flag --threads: compute.threads must be an integer from 1 to 1024, or auto; got none.
                flag --set: unknown key 'server.prt'; did you mean 'server.port'?
                """
        )
    }

    @Test func valuesThatCannotBeMeantTogether() {
        let error = #expect(throws: ConfigurationError.self) {
            try EffectiveConfiguration(
                yaml: "model: {default_chains: 1-3}",
                name: "c.yaml",
                environment: ["CATENA_MODEL_MAX_CHAINS": "2"]
            )
        }
        #expect(
            error?.description == "c.yaml:1:25: model.default_chains asks for chains that model.max_chains (2, "
                + "environment variable CATENA_MODEL_MAX_CHAINS) does not load."
        )
    }

    @Test func aStepHasRoomForEveryRunningRequest() {
        let error = #expect(throws: ConfigurationError.self) {
            try EffectiveConfiguration(yaml: "scheduler: {max_running: 64, step_tokens: 63}", name: "c.yaml")
        }
        #expect(
            error?.description == "c.yaml:1:43: scheduler.step_tokens (63) must be at least scheduler.max_running (64, "
                + "c.yaml:1:26), so that every running request gets its token in every step."
        )
    }

    @Test(arguments: [
        (
            "server: {tls: {port: 8443, key: k.pem}}",
            "c.yaml:1:22: server.tls.port is set, so server.tls.certificate must be the path of a PEM file; got null."
        ),
        (
            "server: {tls: {port: 8443, certificate: c.pem}}",
            "c.yaml:1:22: server.tls.port is set, so server.tls.key must be the path of a PEM file; got null."
        ),
        (
            "server: {tls: {key: k.pem}}",
            "c.yaml:1:21: server.tls.key is of no use without server.tls.port; set that, or leave both out."
        ),
        (
            "server: {plain: false}",
            "c.yaml:1:17: server.plain is false, so server.tls.port or server.unix_socket must be set."
        ),
        (
            "http: {limits: {bodies_total: 2MiB, inflated_body: 3MiB}}",
            "c.yaml:1:31: http.limits.bodies_total (2MiB) must be at least http.limits.inflated_body (3MiB, "
                + "c.yaml:1:52), or no such body could come."
        ),
        (
            "sessions: {redis: {tls: true}}",
            "c.yaml:1:25: sessions.redis.tls must be false: the client library, hiredis 0.14 of Debian 12, has no TLS. Reach "
                + "Redis through a private network or a tunnel, such as stunnel on this machine."
        ),
        (
            "sessions: {redis: {host: a, unix_socket: b}}",
            "c.yaml:1:42: sessions.redis.unix_socket and sessions.redis.host (c.yaml:1:26) are both set; leave one out."
        ),
        (
            "sessions: {redis: {unix_socket: \(String(repeating: "p", count: 108))}}",
            "c.yaml:1:33: sessions.redis.unix_socket must be a path of at most 107 bytes, which is what the system takes; "
                + "got 108."
        ),
        (
            "sessions: {redis: {password: a, password_file: b}}",
            "c.yaml:1:48: sessions.redis.password_file and sessions.redis.password (c.yaml:1:30) are both set; leave one out."
        ),
        (
            "sessions: {redis: {user: catena}}",
            "c.yaml:1:26: sessions.redis.user is of no use without sessions.redis.password or password_file."
        ),
    ])
    func settingsThatCannotBeMeantTogether(yaml: String, message: String) {
        let error = #expect(throws: ConfigurationError.self) { try EffectiveConfiguration(yaml: yaml, name: "c.yaml") }
        #expect(error?.description == message)
    }

    @Test(arguments: [
        "server: {tls: {port: 8443, certificate: c.pem, key: k.pem}}",
        "server: {plain: false, tls: {port: 0, certificate: c.pem, key: k.pem}}",
        "server: {plain: false, unix_socket: /run/catena.sock}",
    ])
    func listenersThatCanBe(yaml: String) {
        #expect(throws: Never.self) { try EffectiveConfiguration(yaml: yaml, name: "c.yaml") }
    }

    @Test func blocksAreWholeGroupsOfTokens() {
        let error = #expect(throws: ConfigurationError.self) {
            try EffectiveConfiguration(yaml: "kv_cache: {block_tokens: 24}", name: "c.yaml")
        }
        #expect(
            error?.description
                == "c.yaml:1:26: kv_cache.block_tokens must be a multiple of 16 from 16 to 1024; got 24."
        )
    }

    @Test func aFileThatIsNotThere() {
        let error = #expect(throws: ConfigurationError.self) { try EffectiveConfiguration(file: "/nonexistent/c.yaml") }
        #expect(
            error?.description
                == "/nonexistent/c.yaml:1:1: the file does not exist, may not be read, or is not UTF-8."
        )
    }
}
