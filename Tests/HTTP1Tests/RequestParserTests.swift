import HTTP1
import TestSupport
import Testing

@Suite struct RequestParserTests {
    /// Every construct that a request may have, in one pipeline.
    static let pipeline = """
        GET /a/b%20c?x=1&y={z}|[] HTTP/1.1\r
        Host: example.com:8080\r
        Accept:\t text/html , */* \t\r
        X-Empty:\r
        X-Obs: caf\u{E9}\r
        \r
        POST /upload HTTP/1.1\r
        Host: [::1]:80\r
        Content-Length: 12\r
        \r
        hello\r
        world\r
        PUT /chunked HTTP/1.1\r
        Host: a\r
        Transfer-Encoding: Chunked\r
        \r
        5\r
        hello\r
        00C ;name="quoted; value" \t;b\r
        \r
        twelve..\r
        \r
        0;last\r
        X-Sum: 12\r
        Content-Length: 99\r
        \r
        OPTIONS * HTTP/1.0\r
        Connection: Keep-Alive\r
        \r
        GET http://other.example/path?q HTTP/1.1\r
        Host: ignored\r
        Connection: x, close\r
        \r

        """

    private var bytes: [UInt8] { Self.pipeline.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } }

    @Test func readsAPipeline() throws {
        let transcript = Transcript(bytes)
        #expect(transcript.error == nil, "\(transcript)")
        #expect(transcript.completed == 5)
        #expect(transcript.bodies == ["hello\r\nworld", "hello\r\ntwelve..\r\n"])
        let heads = transcript.heads
        try #require(heads.count == 5)

        #expect(heads[0].method == .get)
        #expect(heads[0].path == "/a/b%20c")
        #expect(heads[0].query == "x=1&y={z}|[]")
        #expect(heads[0].body == .none)
        #expect(heads[0].keepAlive)
        #expect(heads[0].headers["accept"] == "text/html , */*")
        #expect(heads[0].headers["x-empty"] == "")
        #expect(heads[0].headers["x-obs"] == "caf\u{FFFD}")
        #expect(heads[0].headers.map(\.name) == ["Host", "Accept", "X-Empty", "X-Obs"])

        #expect(heads[1].body == .length(12))
        #expect(heads[1].authority == "[::1]:80")

        #expect(heads[2].body == .chunked)
        #expect(heads[2].headers["x-sum"] == nil, "trailers must not be merged")
        let trailers = transcript.entries.compactMap { if case .end(let trailers) = $0 { trailers } else { nil } }
        #expect(trailers[2] == ["X-Sum": "12", "Content-Length": "99"])

        #expect(heads[3].target == RequestTarget(form: .asterisk, path: "*"))
        #expect(heads[3].version == .http10)
        #expect(heads[3].keepAlive)

        #expect(heads[4].target.form == .absolute)
        #expect(heads[4].authority == "other.example")
        #expect(heads[4].query == "q")
        #expect(!heads[4].keepAlive)
    }

    @Test func isTheSameCutAtEveryByte() {
        let whole = Transcript(bytes)
        for cut in 0...bytes.count {
            #expect(Transcript(pieces: [bytes[..<cut], bytes[cut...]]) == whole, "cut at \(cut)")
        }
        #expect(Transcript(pieces: bytes.map { [$0] }) == whole, "byte by byte")
    }

    @Test func isTheSameInRandomPieces() {
        var generator = SeededGenerator(seed: 1)
        let whole = Transcript(bytes)
        for _ in 0..<300 {
            var pieces: [ArraySlice<UInt8>] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Int.random(in: 0...min(40, rest.count), using: &generator)
                pieces.append(rest.prefix(count))
                rest = rest.dropFirst(count)
            }
            #expect(Transcript(pieces: pieces) == whole)
        }
    }

    /// Stopping after each event and going on with the rest of the same bytes.
    @Test func stopsAfterAnyEvent() throws {
        var parser = RequestParser()
        var offset = 0
        let bytes = bytes
        var ends = 0
        while let event = try parser.next(in: bytes.span, at: &offset) {
            if case .end = event {
                ends += 1
                #expect(parser.isIdle)
            } else {
                #expect(!parser.isIdle)
            }
            let rest = Array(bytes[offset...])
            var copy = parser
            var start = 0
            // A copy reads on from here by itself.
            while try copy.next(in: rest.span, at: &start) != nil {}
            #expect(start == rest.count)
        }
        #expect(ends == 5)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, CLOSE\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", true),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", true),
        ("GET / HTTP/1.0\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
        ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false),
    ])
    func decidesOnPersistence(text: String, keepAlive: Bool) {
        #expect(Transcript(text).heads.first?.keepAlive == keepAlive)
    }

    @Test(arguments: [
        ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", true),
        ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n", true),
        ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", false),
        ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", false),
        ("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", false),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", false),
    ])
    func decidesOnContinue(text: String, expects: Bool) {
        #expect(Transcript(text).heads.first?.expectsContinue == expects)
    }

    @Test(arguments: [
        "a", "a:", "a:80", "a:65535", "127.0.0.1:8080", "a_b-c.~d", "a%20b", "a,b", "", "[::1]", "[::]:80",
        "[1:2:3:4:5:6:7:8]",
        "[1::8]:", "[::ffff:1.2.3.4]", "[1:2:3:4:5:6:1.2.3.4]", "[2001:DB8::1]", "[1:2:3:4:5:6:7::]",
        "[::2:3:4:5:6:7:8]",
    ])
    func acceptsHost(host: String) {
        let transcript = Transcript("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        #expect(transcript.completed == 1, "\(transcript)")
    }

    /// RFC 9112, 2.2: one empty line before a request is passed over, also between requests.
    @Test func passesOverAnEmptyLine() {
        let request = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
        #expect(Transcript(request + request).completed == 2)
    }

    @Test(arguments: [
        ("OPTIONS http://a HTTP/1.1", RequestTarget(form: .asterisk, path: "*", authority: "a")),
        ("OPTIONS http://a/ HTTP/1.1", RequestTarget(form: .absolute, path: "/", authority: "a")),
        ("GET HTTPS://a HTTP/1.1", RequestTarget(form: .absolute, path: "/", authority: "a")),
        ("GET http://a:80?q HTTP/1.1", RequestTarget(form: .absolute, path: "/", query: "q", authority: "a:80")),
        ("GET /? HTTP/1.1", RequestTarget(form: .origin, path: "/", query: "")),
        ("GET //a/../b?c?d HTTP/1.1", RequestTarget(form: .origin, path: "//a/../b", query: "c?d")),
        ("TRACE / HTTP/1.1", RequestTarget(form: .origin, path: "/")),
    ])
    func readsTargets(line: String, target: RequestTarget) {
        #expect(Transcript("\(line)\r\nHost: a\r\n\r\n").heads.first?.target == target)
    }

    @Test func methodsAreCaseSensitiveTokens() {
        for name in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"] {
            let method = Transcript("\(name) / HTTP/1.1\r\nHost: a\r\n\r\n").heads.first?.method
            #expect(method?.name == name)
            #expect(method != .unrecognized(name))
        }
        #expect(Transcript("get / HTTP/1.1\r\nHost: a\r\n\r\n").heads.first?.method == .unrecognized("get"))
    }

    /// HAProxy's `option httpchk`: no Host, and 1.0.
    @Test func acceptsABalancersHealthCheck() {
        let head = Transcript("OPTIONS / HTTP/1.0\r\n\r\n").heads.first
        #expect(head?.method == .options)
        #expect(head?.keepAlive == false)
    }

    /// What is known of a head that is not complete, or not right.
    @Test(
        arguments: [
            ("", nil, nil, false), ("GET /a HTT", nil, nil, false), ("GET /a HTTP/1.1\r\n", "/a", nil, false),
            ("GET /a HTTP/1.1\r\nX: b\r\nY", "/a", "b", false),
            ("GET /a HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n", nil, nil, false),
            ("POST /a HTTP/1.1\r\nHost: a\r\nX: b\r\nContent-Length: 2\r\n\r\nx", nil, nil, false),
            ("GET /a\n", nil, nil, true), ("GET /a HTTP/9.1\r\n", nil, nil, true),
            ("GET /a HTTP/1.1\r\nX: b\r\nY Z\r\n", "/a", "b", true),
            ("GET /a HTTP/1.1\r\nX: b\r\n\r\n", "/a", "b", true),
            ("GET /a HTTP/1.1\r\nX: b\r\nHost: a\r\nContent-Length: x\r\n\r\n", "/a", "b", true),
        ] as [(String, String?, String?, Bool)]
    )
    func unfinishedHeads(input: String, path: String?, field: String?, isError: Bool) {
        for size in 1...3 {
            var parser = RequestParser()
            var hasFailed = false
            let bytes = Array(input.utf8)
            do {
                for start in stride(from: 0, to: bytes.count, by: size) {
                    let piece = Array(bytes[start..<min(start + size, bytes.count)])
                    var offset = 0
                    while try parser.next(in: piece.span, at: &offset) != nil {}
                }
            } catch {
                hasFailed = true
            }
            #expect(hasFailed == isError)
            #expect(parser.unfinishedHead?.path == path)
            #expect(parser.unfinishedHead?.headers["x"] == field)
        }
    }
}
