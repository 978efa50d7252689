import Compression
import HTTP1
import Net
import TestSupport
import Testing

/// gzip in both directions.
@Suite struct CompressionTests {
    private static let json = Array(
        ("[" + (0..<500).map { "{\"index\": \($0)}" }.joined(separator: ", ") + "]").utf8
    )

    /// A server whose answers are the path's name: `/json`, `/small`, `/text`, `/events`, `/binary` and so on.
    private func server(_ configure: (inout NetConfiguration) -> Void = { _ in }) throws -> TestServer {
        try TestServer(configure) { request, responder in
            func answer(_ type: String, _ body: [UInt8], _ more: HTTPHeaders = [:]) {
                var headers: HTTPHeaders = ["Content-Type": type]
                for field in more { headers.append(field.name, field.value) }
                responder.respond(Response(ResponseHead(.ok, headers: headers), body: body))
            }
            switch request.head.path {
            case "/json": answer("application/json", Self.json)
            case "/huge": answer("application/json", Array((0..<100).map { _ in Self.json }.joined()))
            case "/text": answer("text/plain; charset=utf-8", Self.json)
            case "/small": answer("application/json", Array(Self.json.prefix(1023)))
            case "/least": answer("application/json", Array(Self.json.prefix(1024)))
            case "/events": answer("text/event-stream; charset=utf-8", Self.json)
            case "/binary": answer("application/octet-stream", Self.json)
            case "/coded": answer("application/json", Self.json, ["Content-Encoding": "br"])
            case "/fixed": answer("application/json", Self.json, ["Cache-Control": "public, no-transform"])
            case "/noise":
                var random = SeededGenerator(seed: 3)
                answer("application/json", (0..<4096).map { _ in UInt8.random(in: 0...255, using: &random) })
            case "/stream":
                responder.start(ResponseHead(.ok, headers: ["Content-Type": "application/json"]))
                responder.write(Self.json)
                responder.finish()
            case "/none": responder.respond(Response(ResponseHead(.noContent)))
            default:
                answer("text/plain", request.body, ["X-Coding": request.head.headers["Content-Encoding"] ?? "none"])
            }
        }
    }

    private func get(_ path: String, _ accepted: String?, method: String = "GET") -> String {
        let field = accepted.map { "Accept-Encoding: \($0)\r\n" } ?? ""
        return "\(method) \(path) HTTP/1.1\r\nHost: a\r\n\(field)\r\n"
    }

    /// Status and fields, and the body as bytes.
    private func read(_ client: RawClient) throws -> (head: String, body: [UInt8]) {
        let head = try client.read(until: "\r\n\r\n")
        let length = head.split(separator: "\r\n").compactMap { line in
            line.hasPrefix("Content-Length: ") ? Int(line.dropFirst(16)) : nil
        }
        return (head, try client.read(count: length.first ?? 0))
    }

    private func inflate(_ bytes: [UInt8]) throws -> [UInt8] {
        let inflater = GzipInflater()
        var output: [UInt8] = []
        try inflater.inflate(bytes.span, into: &output, limit: 1 << 24)
        try inflater.finish()
        return output
    }

    @Test(arguments: ["/json", "/huge", "/text", "/least"])
    func answersAreCompressedForThoseWhoAsk(path: String) throws {
        let server = try server()
        let client = try server.client()
        client.send(get(path, "gzip, deflate, br") + get(path, nil))
        let packed = try read(client)
        #expect(packed.head.contains("Content-Encoding: gzip\r\n"))
        #expect(packed.head.contains("Vary: Accept-Encoding\r\n"))
        let plain = try read(client)
        #expect(!plain.head.contains("Content-Encoding"))
        #expect(plain.head.contains("Vary: Accept-Encoding\r\n"), "a cache must know that there is another form")
        #expect(try inflate(packed.body) == plain.body)
        #expect(packed.body.count < plain.body.count / 2)
    }

    @Test(arguments: ["/small", "/events", "/binary", "/coded", "/fixed", "/none"])
    func otherAnswersAreLeftAlone(path: String) throws {
        let server = try server()
        let client = try server.client()
        client.send(get(path, "gzip"))
        let answer = try read(client)
        #expect(!answer.head.contains("gzip"))
        #expect(!answer.head.contains("Vary"))
    }

    @Test func streamsAreLeftAlone() throws {
        let server = try server()
        let client = try server.client()
        client.send(get("/stream", "gzip"))
        let answer = try client.readAnswer()
        #expect(answer.headers["content-encoding"] == nil)
        #expect(Array(answer.body.utf8) == Self.json)
    }

    @Test func whatDoesNotShrinkGoesOutAsItIs() throws {
        let server = try server()
        let client = try server.client()
        client.send(get("/noise", "gzip"))
        let answer = try read(client)
        #expect(answer.body.count == 4096)
        #expect(!answer.head.contains("Content-Encoding"))
        #expect(answer.head.contains("Vary: Accept-Encoding\r\n"))
    }

    /// RFC 9110, 9.3.2: the fields that GET would have had, the length of the compressed body with them.
    @Test func headSaysWhatGetWouldSay() throws {
        let server = try server()
        let client = try server.client()
        client.send(get("/json", "gzip", method: "HEAD") + get("/json", "gzip"))
        let head = try client.read(until: "\r\n\r\n")
        let whole = try read(client)
        func fields(_ head: String) -> [Substring] { head.split(separator: "\r\n").filter { !$0.hasPrefix("Date") } }
        #expect(fields(head) == fields(whole.head))
    }

    /// A large answer is compressed elsewhere; it must not lose its place in the order.
    @Test func orderIsKept() throws {
        let server = try server()
        let client = try server.client()
        client.send((0..<10).map { get($0.isMultiple(of: 2) ? "/huge" : "/json", "gzip") }.joined())
        for index in 0..<10 {
            let size = try inflate(try read(client).body).count
            #expect(size == (index.isMultiple(of: 2) ? 100 : 1) * Self.json.count)
        }
    }

    @Test func compressionMayBeOff() throws {
        let server = try server { $0.compression = nil }
        let client = try server.client()
        client.send(get("/json", "gzip"))
        let answer = try read(client)
        #expect(answer.body == Self.json)
        #expect(!answer.head.contains("Vary"))
    }

    // MARK: Requests

    private func post(_ body: [UInt8], coding: String, chunked: Bool = false) -> [UInt8] {
        let framing = chunked ? "Transfer-Encoding: chunked" : "Content-Length: \(body.count)"
        let head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Encoding: \(coding)\r\n\(framing)\r\n\r\n"
        guard chunked else { return Array(head.utf8) + body }
        let chunks = body.flatMap { Array("1\r\n".utf8) + [$0] + Array("\r\n".utf8) }
        return Array(head.utf8) + chunks + Array("0\r\n\r\n".utf8)
    }

    @Test(arguments: ["gzip", "x-gzip", "GZip", "identity, gzip", " gzip , "], [true, false])
    func gzipIsTakenOffRequests(coding: String, chunked: Bool) throws {
        let server = try server()
        let client = try server.client()
        let text = Array("{\"prompt\": \"Once upon a time\"}".utf8)
        client.send(post(gzip(text, level: 6), coding: coding, chunked: chunked) + Array("/next".get.utf8))
        let answer = try read(client)
        #expect(answer.body == text)
        #expect(answer.head.contains("X-Coding: none\r\n"), "the handler sees no coding that is not there any more")
        #expect(try client.readAnswer().status == 200)
    }

    @Test func identityIsNoCoding() throws {
        let server = try server()
        let client = try server.client()
        client.send(post(Array("hello".utf8), coding: "identity"))
        #expect(try read(client).body == Array("hello".utf8))
    }

    @Test(arguments: ["br", "deflate", "zstd", "gzip, gzip", "gzip, br", "gzip;q=1", "g zip"])
    func otherCodingsAre415(coding: String) throws {
        let server = try server()
        let client = try server.client()
        client.send(post(Array("hello".utf8), coding: coding) + Array("/next".get.utf8))
        let answer = try client.readAnswer()
        #expect(answer.status == 415)
        #expect(answer.headers["accept-encoding"] == "gzip, identity")
        #expect(try client.readAnswer().status == 200, "the body was read past, and the connection lives on")
    }

    @Test func otherCodingsAreRefusedBeforeContinue() throws {
        let server = try server()
        let client = try server.client()
        client.send(
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Encoding: br\r\nContent-Length: 5\r\n\r\n"
        )
        #expect(try client.readAnswer().status == 415)
    }

    @Test func gzipThatIsNoneIs400() throws {
        let packed = gzip(Self.json, level: 6)
        for body in [
            Array("hello".utf8), Array(packed.dropLast()), packed + [0], packed + Array("GET".utf8), [31, 139],
        ] {
            let server = try server()
            let client = try server.client()
            client.send(post(body, coding: "gzip"))
            let answer = try client.readAnswer()
            #expect(answer.status == 400)
            #expect(answer.body.contains("gzip"))
            #expect(answer.headers["connection"] == "close")
        }
    }

    /// A bomb: 1 MiB of zeros a kilobyte. It is given up at the limit, not unpacked and then looked at.
    @Test func bombsAre413() throws {
        let bomb = gzip([UInt8](repeating: 0, count: 64 << 20), level: 9)
        let server = try server { $0.inflatedBody = 100_000 }
        let client = try server.client()
        client.send(post(bomb, coding: "gzip"))
        let answer = try client.readAnswer()
        #expect(answer.status == 413)
        #expect(answer.headers["connection"] == "close")
        #expect(try client.readToEnd() == "")
    }

    @Test func theInflatedLimitIsExact() throws {
        for (limit, status) in [(Self.json.count, "200"), (Self.json.count - 1, "413")] {
            let server = try server { $0.inflatedBody = limit }
            let client = try server.client()
            client.send(post(gzip(Self.json, level: 6), coding: "gzip"))
            #expect(try client.read(until: "\r\n").hasPrefix("HTTP/1.1 \(status)"))
        }
    }

    /// Inflated bytes and zlib's own memory count among all bodies.
    @Test func inflatedBytesCountInTheTotal() throws {
        let server = try server { $0.bodiesTotal = 100_000 }
        let client = try server.client()
        client.send(post(gzip([UInt8](repeating: 0x20, count: 90_000), level: 6), coding: "gzip"))
        #expect(try client.readAnswer().status == 503)
    }
}
