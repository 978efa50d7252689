import Core
import ServerConfig
import Testing

/// What each kind of value accepts and refuses, by way of one key of the kind.
@Suite struct ValueTests {
    private func load(_ yaml: String) throws(ConfigurationError) -> ServerConfiguration {
        try EffectiveConfiguration(yaml: yaml, name: "c.yaml").values
    }

    private static let keyLine = "sha256:" + String(repeating: "0", count: 64) + " name=a"

    struct Good: Sendable, CustomTestStringConvertible {
        var yaml: String
        var change: @Sendable (inout ServerConfiguration) -> Void
        var testDescription: String { yaml }
        init(_ yaml: String, _ change: @escaping @Sendable (inout ServerConfiguration) -> Void) {
            self.yaml = yaml
            self.change = change
        }
    }

    @Test(arguments: [
        Good("") { _ in },
        Good("# only a comment\n") { _ in },
        Good("server:\n") { _ in },
        Good("server:\n  # port: 1\nmodel: {}\n") { _ in },
        Good("server: {port: 0, host: \"::\"}") {
            $0.server.port = 0
            $0.server.host = "::"
        },
        Good("server: {unix_socket: /run/catena.sock}") { $0.server.unixSocket = "/run/catena.sock" },
        Good("server: {unix_socket: ~}") { _ in },
        Good("model: {name: \"7\"}") { $0.model.name = "7" },
        Good("model: {default_chains: 3}") { $0.model.defaultChains = .fixed(3) },
        Good("model: {default_chains: 1-3}") { $0.model.defaultChains = .range(1...3) },
        Good("model: {max_chains: 2, accept_any_model: true}") {
            $0.model.maxChains = 2
            $0.model.acceptAnyModel = true
        },
        Good("compute: {threads: 4, backend: native}") {
            $0.compute.threads = 4
            $0.compute.backend = .native
        },
        Good("compute: {threads: auto}") { _ in },
        Good("kv_cache: {size: 256MiB, dtype: f32}") {
            $0.kvCache.size = .bytes(256 << 20)
            $0.kvCache.dtype = .f32
        },
        Good("kv_cache: {size: 12.5%}") { $0.kvCache.size = .share(percent: 12.5) },
        Good("http: {limits: {body: 1048576}, timeouts: {header: 500ms, write: 2}}") {
            $0.http.limits.body = 1 << 20
            $0.http.timeouts.header = .milliseconds(500)
            $0.http.timeouts.write = .seconds(2)
        },
        Good("sessions: {ttl: 2h}\nshutdown: {grace: 0}\n") { $0.sessions.ttl = .seconds(7200) },
        Good("server: {trusted_proxies: [10.0.0.0/8, \"::1\", unix]}") {
            $0.server.trustedProxies = ["10.0.0.0/8", "::1", "unix"]
        },
        Good("server: {trusted_proxies: 127.0.0.1}") { $0.server.trustedProxies = ["127.0.0.1"] },
        Good("server: {trusted_proxies: ~}\ncors: {origins: []}") { _ in },
        Good("cors:\n  origins:\n    - https://a.example\n    - http://localhost:3000\n") {
            $0.cors.origins = ["https://a.example", "http://localhost:3000"]
        },
        Good("cors: {origins: \"*\", max_age: 0}") {
            $0.cors.origins = ["*"]
            $0.cors.maxAge = .zero
        },
        Good("keys: {list: [\"\(keyLine)\"]}") { $0.keys.list = [keyLine] },
        Good("log: {access: stdout, prompts: true}") {
            $0.log.access = "stdout"
            $0.log.prompts = true
        },
        Good("log: {level: trace}") { $0.log.level = .trace },
    ])
    func accepts(good: Good) throws {
        var expected = ServerConfiguration()
        good.change(&expected)
        #expect(try load(good.yaml) == expected)
    }

    @Test(arguments: [
        ("server: {port: 99999}", "1:16: server.port must be an integer from 0 to 65535; got 99999."),
        ("server: {port: \"80\"}", "1:16: server.port must be an integer from 0 to 65535; got the text \"80\"."),
        ("server: {port: 80.5}", "1:16: server.port must be an integer from 0 to 65535; got 80.5."),
        (
            "server: {trusted_proxies: [10.0.0.1/8]}",
            "1:27: server.trusted_proxies must be a list of addresses such as 10.0.0.1, ranges such as 10.0.0.0/8, or unix; "
                + "got a list."
        ),
        (
            "cors: {origins: [https://a.example/]}",
            "1:17: cors.origins must be a list of origins such as https://example.com, "
                + "or *; got a list."
        ),
        (
            "cors: {origins: [[a]]}",
            "1:17: cors.origins must be a list of origins such as https://example.com, or *; got a "
                + "list."
        ),
        (
            "cors: {origins: [https://a.example, \"*\"]}",
            "1:17: cors.origins has * among others; give * alone for all origins, "
                + "or leave it out."
        ),
        ("log: {prompts: true}", "1:16: log.prompts is of no use without log.access; set that, or leave both out."),
        ("server: {port: [80]}", "1:16: server.port must be an integer from 0 to 65535; got a list."),
        ("server: {port: {a: 1}}", "1:16: server.port must be an integer from 0 to 65535; got a section."),
        ("server:\n  port:\n", "2:8: server.port must be an integer from 0 to 65535; got null."),
        ("server: {host: 127}", "1:16: server.host must be a numeric address or localhost; got 127."),
        ("server: {host: true}", "1:16: server.host must be a numeric address or localhost; got true."),
        ("server: {host: \"\"}", "1:16: server.host must be a numeric address or localhost; got the text \"\"."),
        ("model: {accept_any_model: yes}", "1:27: model.accept_any_model must be true or false; got yes."),
        (
            "model: {default_chains: 3-1}",
            "1:25: model.default_chains must be a number of chains such as 3, a range such as 1-3, or auto; got 3-1."
        ),
        (
            "model: {default_chains: 0}",
            "1:25: model.default_chains must be a number of chains such as 3, a range such as 1-3, or auto; got 0."
        ),
        ("model: {max_chains: 0}", "1:21: model.max_chains must be an integer from 1 to 64, or null; got 0."),
        ("compute: {backend: cuda}", "1:20: compute.backend must be auto, openblas or native; got cuda."),
        ("compute: {threads: 0}", "1:20: compute.threads must be an integer from 1 to 1024, or auto; got 0."),
        ("kv_cache: {dtype: fp16}", "1:19: kv_cache.dtype must be bf16 or f32; got fp16."),
        (
            "kv_cache: {size: 0%}",
            "1:18: kv_cache.size must be \(memory); got 0%."
        ),
        ("kv_cache: {size: 101%}", "1:18: kv_cache.size must be \(memory); got 101%."),
        ("kv_cache: {size: 256MB}", "1:18: kv_cache.size must be \(memory); got 256MB."),
        ("kv_cache: {size: 1000}", "1:18: kv_cache.size must be \(memory); got 1000."),
        ("kv_cache: {size: 99999999TiB}", "1:18: kv_cache.size must be \(memory); got 99999999TiB."),
        (
            "http: {limits: {body: 10}}",
            "1:23: http.limits.body must be a size of at least 1KiB, such as 4096, 64KiB, 256MiB or 2GiB; got 10."
        ),
        (
            "sessions: {ttl: 5 minutes}",
            "1:17: sessions.ttl must be a time from 1ms to 24h, such as 500ms, 10s, 30m or 2h; got 5 minutes."
        ),
        (
            "streaming: {ping_interval: 0}",
            "1:28: streaming.ping_interval must be a time from 1s to 1h, such as 500ms, 10s, 30m or 2h; got 0."
        ),
    ])
    func refuses(yaml: String, problem: String) {
        let error = #expect(throws: ConfigurationError.self) { try load(yaml) }
        #expect(error?.description == "c.yaml:" + problem)
    }

    private static let memory = "a size such as 256MiB or 2GiB, at least 1MiB, or a share of memory such as 10%"

    @Test func sharesOfMemory() {
        #expect(MemorySize.share(percent: 12.5).bytes(of: 1000) == 125)
        #expect(MemorySize.bytes(5).bytes(of: 1000) == 5)
    }
}
