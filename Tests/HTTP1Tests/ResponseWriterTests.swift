import HTTP1
import Testing

@Suite struct ResponseWriterTests {
    private let date = HTTPDate(unixSeconds: 784_111_777)
    private let dateLine = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

    private func whole(
        _ response: Response,
        _ method: HTTPMethod = .get,
        _ version: HTTPVersion = .http11,
        keepAlive: Bool = true
    ) throws -> (text: String, keepsAlive: Bool) {
        var writer = ResponseWriter(method: method, version: version, keepAlive: keepAlive)
        var out: [UInt8] = []
        try writer.write(response.head, body: response.body, date: date, into: &out)
        #expect(writer.isComplete)
        return (String(decoding: out, as: UTF8.self), writer.keepsAlive)
    }

    private func stream(
        _ head: ResponseHead,
        _ method: HTTPMethod = .get,
        _ version: HTTPVersion = .http11,
        keepAlive: Bool = true
    ) throws -> (text: String, keepsAlive: Bool) {
        var writer = ResponseWriter(method: method, version: version, keepAlive: keepAlive)
        var out: [UInt8] = []
        try writer.start(head, date: date, into: &out)
        try writer.write(Array("hello".utf8), into: &out)
        try writer.write([], into: &out)
        try writer.write(Array(String(repeating: "x", count: 26).utf8), into: &out)
        #expect(!writer.isComplete)
        try writer.finish(into: &out)
        #expect(writer.isComplete)
        return (String(decoding: out, as: UTF8.self), writer.keepsAlive)
    }

    @Test func wholeAnswer() throws {
        let response = Response(ResponseHead(.ok, headers: ["X-A": "b", "x-c": ""]), body: Array("hello".utf8))
        let (text, keepsAlive) = try whole(response)
        #expect(text == "HTTP/1.1 200 OK\r\nX-A: b\r\nx-c: \r\n\(dateLine)Content-Length: 5\r\n\r\nhello")
        #expect(keepsAlive)
    }

    @Test func persistenceIsSaidWhereItIsNotTheDefault() throws {
        let response = Response(ResponseHead(.ok))
        let closed = try whole(response, keepAlive: false)
        #expect(closed.text == "HTTP/1.1 200 OK\r\n\(dateLine)Connection: close\r\nContent-Length: 0\r\n\r\n")
        #expect(!closed.keepsAlive)
        let old = try whole(response, .get, .http10, keepAlive: true)
        #expect(old.text == "HTTP/1.1 200 OK\r\n\(dateLine)Connection: keep-alive\r\nContent-Length: 0\r\n\r\n")
        #expect(old.keepsAlive)
        let byHandler = try whole(Response(ResponseHead(.ok, closesConnection: true)))
        #expect(byHandler.text.contains("Connection: close\r\n"))
        #expect(!byHandler.keepsAlive)
    }

    @Test func headHasTheLengthOfGetAndNoBody() throws {
        let text = try whole(Response(ResponseHead(.ok), body: Array("hello".utf8)), .head).text
        #expect(text == "HTTP/1.1 200 OK\r\n\(dateLine)Content-Length: 5\r\n\r\n")
        let streamed = try stream(ResponseHead(.ok), .head)
        #expect(streamed.text == "HTTP/1.1 200 OK\r\n\(dateLine)Transfer-Encoding: chunked\r\n\r\n")
        #expect(streamed.keepsAlive)
    }

    @Test(arguments: [HTTPStatus.noContent, .notModified])
    func statusesWithoutBody(status: HTTPStatus) throws {
        let line = "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n"
        #expect(try whole(Response(ResponseHead(status), body: [1, 2, 3])).text == "\(line)\(dateLine)\r\n")
        let streamed = try stream(ResponseHead(status))
        #expect(streamed.text == "\(line)\(dateLine)\r\n")
        #expect(streamed.keepsAlive)
    }

    @Test func chunkedStream() throws {
        let (text, keepsAlive) = try stream(ResponseHead(.ok))
        let x = String(repeating: "x", count: 26)
        #expect(
            text
                == "HTTP/1.1 200 OK\r\n\(dateLine)Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1a\r\n\(x)\r\n0\r\n\r\n"
        )
        #expect(keepsAlive)
    }

    @Test func streamToHTTP10EndsByClosing() throws {
        let (text, keepsAlive) = try stream(ResponseHead(.ok), .get, .http10, keepAlive: true)
        let x = String(repeating: "x", count: 26)
        #expect(text == "HTTP/1.1 200 OK\r\n\(dateLine)Connection: close\r\n\r\nhello\(x)")
        #expect(!keepsAlive)
    }

    @Test func interimAnswers() {
        var out: [UInt8] = []
        ResponseWriter(method: .post, version: .http10, keepAlive: true).writeInterim(.continue, into: &out)
        #expect(out.isEmpty, "1.0 knows none")
        ResponseWriter(method: .post, version: .http11, keepAlive: true).writeInterim(.continue, into: &out)
        #expect(String(decoding: out, as: UTF8.self) == "HTTP/1.1 100 Continue\r\n\r\n")
    }

    @Test(arguments: ["a\r\nX: b", "a\nb", "a\rb", "a\u{0}b", "a\u{7F}", "\u{1}"])
    func valuesThatInjectAreRefused(value: String) throws {
        #expect(throws: ResponseError.invalidField(name: "X")) {
            try whole(Response(ResponseHead(.ok, headers: ["X": value])))
        }
        #expect(throws: ResponseError.invalidField(name: "X")) {
            try stream(ResponseHead(.ok, headers: ["X": value]))
        }
    }

    @Test(arguments: ["", "a b", "a:", "a\r\nb", "é", "a\""])
    func namesThatAreNoTokensAreRefused(name: String) {
        #expect(throws: ResponseError.invalidField(name: name)) {
            try whole(Response(ResponseHead(.ok, headers: [name: "x"])))
        }
    }

    @Test(arguments: ["Content-Length", "transfer-encoding", "CONNECTION", "date"])
    func framingFieldsAreTheWriters(name: String) {
        #expect(throws: ResponseError.reservedField(name: name)) {
            try whole(Response(ResponseHead(.ok, headers: [name: "x"])))
        }
    }

    @Test func aRefusedHeadLeavesNothingBehind() throws {
        var writer = ResponseWriter(method: .get, version: .http11, keepAlive: true)
        var out: [UInt8] = []
        #expect(throws: ResponseError.self) {
            try writer.write(ResponseHead(.ok, headers: ["X": "\n"]), body: [], date: date, into: &out)
        }
        #expect(out.isEmpty)
        #expect(!writer.hasHead)
        try writer.write(ResponseHead(.internalServerError), body: [], date: date, into: &out)
        #expect(String(decoding: out, as: UTF8.self).hasPrefix("HTTP/1.1 500 Internal Server Error\r\n"))
    }

    @Test func callsOutOfOrderAreRefused() throws {
        var out: [UInt8] = []
        var writer = ResponseWriter(method: .get, version: .http11, keepAlive: true)
        #expect(throws: ResponseError.outOfOrder) { try writer.write([1], into: &out) }
        #expect(throws: ResponseError.outOfOrder) { try writer.finish(into: &out) }
        #expect(throws: ResponseError.interimStatus(102)) {
            try writer.write(ResponseHead(.processing), body: [], date: date, into: &out)
        }
        #expect(out.isEmpty)
        try writer.write(ResponseHead(.ok), body: [], date: date, into: &out)
        let length = out.count
        #expect(throws: ResponseError.outOfOrder) {
            try writer.write(ResponseHead(.ok), body: [], date: date, into: &out)
        }
        #expect(throws: ResponseError.outOfOrder) { try writer.start(ResponseHead(.ok), date: date, into: &out) }
        #expect(out.count == length)
    }
}
