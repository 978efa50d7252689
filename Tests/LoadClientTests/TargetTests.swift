import Testing

@testable import LoadClient

@Suite struct TargetTests {
    @Test(arguments: [
        ("http://127.0.0.1:8080", "127.0.0.1:8080", "/v1"),
        ("http://127.0.0.1:8080/", "127.0.0.1:8080", "/v1"),
        ("HTTP://localhost/v1/", "localhost", "/v1"),
        ("http://[::1]:81/openai/v1", "[::1]:81", "/openai/v1"),
        ("http://[::1]", "[::1]", "/v1"),
    ])
    func forms(url: String, authority: String, path: String) throws {
        let target = try Target(url)
        #expect(target.authority == authority && target.basePath == path && target.url == url)
    }

    @Test(arguments: [
        ("https://127.0.0.1:8080", "plain HTTP only"),
        ("HTTPS://x", "plain HTTP only"),
        ("127.0.0.1:8080", "expected http://HOST:PORT"),
        ("http://", "expected http://HOST:PORT"),
        ("http://:80", "expected http://HOST:PORT"),
        ("http://127.0.0.1:0", "expected http://HOST:PORT"),
        ("http://127.0.0.1:x", "expected http://HOST:PORT"),
        ("http://127.0.0.1:70000", "expected http://HOST:PORT"),
        ("http://me@127.0.0.1", "expected http://HOST:PORT"),
        ("http://127.0.0.1/a?b", "expected http://HOST:PORT"),
        ("http://127.0.0.1/a b", "expected http://HOST:PORT"),
        ("http://::1:80", "stands in brackets"),
        ("http://no.such.host.invalid:80", "no.such.host.invalid"),
    ])
    func refuses(url: String, message: String) {
        #expect {
            try Target(url)
        } throws: {
            "\($0)".contains(message)
        }
    }
}
