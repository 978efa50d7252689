import Testing

@testable import LoadClient

@Suite struct AnswerParserTests {
    /// What an answer is, read in pieces: its head, its body, whether it ended, and bytes behind its end.
    private struct Parsed: Equatable {
        var status = 0
        var type = ""
        var keepsAlive = false
        var body = ""
        var isOver = false
        var rest = 0
    }

    private func parse(_ text: String, pieces: Int = .max, closing: Bool = false) throws -> Parsed {
        var parser = AnswerParser()
        var parsed = Parsed()
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(pieces))
            rest = rest.dropFirst(pieces)
            try piece.withUnsafeBytes { bytes in
                var offset = 0
                while let event = try parser.next(bytes, at: &offset) {
                    switch event {
                    case .head(let head):
                        parsed.status = head.status
                        parsed.type = head.contentType
                        parsed.keepsAlive = head.keepsAlive
                    case .body(let range): parsed.body += String(decoding: bytes[range], as: UTF8.self)
                    case .end:
                        parsed.isOver = true
                        parsed.rest = bytes.count - offset + rest.count
                        rest = []
                    }
                }
            }
        }
        if closing { try parser.endOfInput() }
        return parsed
    }

    @Test func everyFormInPiecesOfEverySize() throws {
        let answers: [(String, Parsed)] = [
            (
                "HTTP/1.1 200 OK\r\nContent-Type: Application/JSON; x=y\r\nContent-Length: 5\r\n\r\nhello",
                Parsed(status: 200, type: "application/json", keepsAlive: true, body: "hello", isOver: true)
            ),
            (
                "HTTP/1.1 404\r\ncontent-length:0\r\nConnection: close\r\n\r\n",
                Parsed(status: 404, keepsAlive: false, isOver: true)
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=1\r\n world\r\n0\r\nT: x\r\n\r\n",
                Parsed(status: 200, keepsAlive: true, body: "hello world", isOver: true)
            ),
            (
                "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
                Parsed(status: 204, keepsAlive: true, isOver: true)
            ),
            (
                "HTTP/1.0 200 OK\nContent-Length: 2\n\nok",
                Parsed(status: 200, keepsAlive: false, body: "ok", isOver: true)
            ),
        ]
        for (text, expected) in answers {
            for size in 1...text.utf8.count { #expect(try parse(text, pieces: size) == expected) }
        }
    }

    @Test func bodiesUntilTheEnd() throws {
        let text = "HTTP/1.1 200 OK\r\n\r\nsome text"
        #expect(try parse(text, closing: true).body == "some text")
        #expect(try parse(text, pieces: 1).isOver == false)
    }

    @Test func bytesBehindTheAnswerAreSeen() throws {
        #expect(try parse("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc").rest == 2)
    }

    @Test(arguments: [
        ("", "closed without an answer"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "closed in the middle"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "closed in the middle"),
        ("HTTP/1.1 2", "closed in the middle"),
        ("SSH-2.0-OpenSSH\r\n", "not HTTP/1.1: it begins with 'SSH-2.0-OpenSSH'"),
        ("HTTP/2 200\r\n\r\n", "not HTTP/1.1"),
        ("HTTP/1.1 99 OK\r\n\r\n", "not HTTP/1.1"),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "a header without a colon"),
        ("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "is no length"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "is no length"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "transfer coding 'gzip'"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "'x' is no chunk size"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n", "is no chunk size"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", "a chunk is longer than it says"),
        ("HTTP/1.1 101 Switching\r\n\r\n", "switched protocols"),
        ("HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 70_000), "longer than 64 KiB"),
    ])
    func mistakes(text: String, message: String) {
        #expect {
            try parse(text, closing: true)
        } throws: {
            ($0 as? AnswerError)?.problem.contains(message) ?? false
        }
    }
}

@Suite struct EventStreamParserTests {
    private func events(_ text: String, pieces: Int) throws -> [String] {
        var parser = EventStreamParser()
        var events: [String] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(pieces))
            rest = rest.dropFirst(pieces)
            try piece.withUnsafeBytes { bytes in
                var offset = 0
                while let event = try parser.next(bytes, at: &offset) {
                    events.append(String(decoding: event, as: UTF8.self))
                }
            }
        }
        return events
    }

    @Test(arguments: [1, 2, 3, 5, 1000])
    func fields(size: Int) throws {
        let text = """
            : a comment

            data: one

            event: x
            id: 7
            data:two
            data:  three
            data
            database: no

            retry: 5

            data: é{}

            data: not ended
            """
        let expected = ["one", "two\n three\n", "é{}"]
        #expect(try events(text, pieces: size) == expected)
        #expect(
            try events(
                text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n"),
                pieces: size
            ) == expected
        )
        #expect(
            try events(
                text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r"),
                pieces: size
            ) == expected
        )
    }

    @Test func isBounded() {
        #expect(throws: AnswerError.self) {
            try events("data: " + String(repeating: "x", count: 5 << 20), pieces: 1 << 16)
        }
    }
}
