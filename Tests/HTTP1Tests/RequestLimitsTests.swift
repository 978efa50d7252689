import HTTP1
import TestSupport
import Testing

/// Each limit: what just fits passes, one byte more does not, and nothing beyond the limit is waited for.
@Suite struct RequestLimitsTests {
    private func limits(_ change: (inout RequestLimits) -> Void) -> RequestLimits {
        var limits = RequestLimits()
        change(&limits)
        return limits
    }

    private func text(_ count: Int) -> String { String(repeating: "a", count: count) }

    @Test func target() {
        let limits = limits { $0.target = 10 }
        #expect(Transcript("GET /\(text(9)) HTTP/1.1\r\nHost: a\r\n\r\n", limits: limits).completed == 1)
        let error = RequestError.targetTooLong(limit: 10)
        #expect(Transcript("GET /\(text(10)) HTTP/1.1\r\nHost: a\r\n\r\n", limits: limits).error == error)
        #expect(Transcript("GET /\(text(1000))", limits: limits).error == error, "no line end is waited for")
        #expect(error.status.code == 414)
    }

    @Test func headerLine() {
        let limits = limits { $0.headerLine = 20 }
        #expect(Transcript("GET / HTTP/1.1\r\nHost: a\r\nX: \(text(17))\r\n\r\n", limits: limits).completed == 1)
        let error = RequestError.headerLineTooLong(limit: 20)
        #expect(Transcript("GET / HTTP/1.1\r\nHost: a\r\nX: \(text(18))", limits: limits).error == error)
        #expect(error.status.code == 431)
    }

    @Test func headerCount() {
        let limits = limits { $0.headerCount = 3 }
        #expect(Transcript("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n", limits: limits).completed == 1)
        let error = RequestError.tooManyHeaders(limit: 3)
        #expect(Transcript("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\nX: 3\r\n", limits: limits).error == error)
        #expect(error.status.code == 431)
    }

    @Test func headerTotal() {
        // `Host: a` and `X: ...` are 7 and 13 bytes.
        let limits = limits { $0.headerTotal = 20 }
        #expect(Transcript("GET / HTTP/1.1\r\nHost: a\r\nX: \(text(10))\r\n\r\n", limits: limits).completed == 1)
        let error = RequestError.headersTooLarge(limit: 20)
        #expect(Transcript("GET / HTTP/1.1\r\nHost: a\r\nX: \(text(11))", limits: limits).error == error)
        #expect(error.status.code == 431)
    }

    @Test func bodyByLength() {
        let limits = limits { $0.body = 5 }
        #expect(
            Transcript("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", limits: limits).completed == 1
        )
        let error = RequestError.bodyTooLarge(limit: 5)
        // Decided on the head: before `100 Continue`, and without a byte of the body.
        let transcript = Transcript("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n", limits: limits)
        #expect(transcript.error == error)
        #expect(transcript.heads.isEmpty)
        #expect(error.status.code == 413)
    }

    @Test func aLimitOfMaxIntDoesNotOverflow() {
        let limits = limits { $0.body = .max }
        let head = "POST / HTTP/1.1\r\nHost: a\r\n"
        #expect(
            Transcript("\(head)Content-Length: 99999999999999999999\r\n\r\n", limits: limits).error
                == .bodyTooLarge(limit: .max)
        )
        let chunks = "8000000000000000\r\n"
        #expect(
            Transcript("\(head)Transfer-Encoding: chunked\r\n\r\n\(chunks)", limits: limits).error
                == .bodyTooLarge(limit: .max)
        )
        let two = "1\r\nx\r\n7fffffffffffffff\r\n"
        #expect(
            Transcript("\(head)Transfer-Encoding: chunked\r\n\r\n\(two)", limits: limits).error
                == .bodyTooLarge(limit: .max)
        )
    }

    private let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    @Test func bodyByChunks() {
        let limits = limits { $0.body = 5 }
        #expect(Transcript(chunked + "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", limits: limits).completed == 1)
        let transcript = Transcript(chunked + "2\r\nhe\r\n4\r\n", limits: limits)
        #expect(transcript.error == .bodyTooLarge(limit: 5), "decided on the size, before the data")
    }

    @Test func chunkExtensions() {
        let limits = limits { $0.chunkExtensions = 10 }
        #expect(Transcript(chunked + "1;aaaa\r\nx\r\n0;bbbb\r\n\r\n", limits: limits).completed == 1)
        let error = RequestError.chunkExtensionsTooLarge(limit: 10)
        #expect(Transcript(chunked + "1;aaaa\r\nx\r\n0;bbbbb\r\n\r\n", limits: limits).error == error)
        #expect(Transcript(chunked + "1;\(text(100))", limits: limits).error == error, "no line end is waited for")
        #expect(error.status.code == 413)
    }

    @Test func trailers() {
        let limits = limits { $0.trailers = 10 }
        #expect(Transcript(chunked + "0\r\nA: b\r\nCD: ef\r\n\r\n", limits: limits).completed == 1)
        let error = RequestError.trailersTooLarge(limit: 10)
        #expect(Transcript(chunked + "0\r\nA: b\r\nCD: efg", limits: limits).error == error)
        #expect(error.status.code == 431)
    }

    @Test func trailerCount() {
        let limits = limits { $0.headerCount = 2 }
        #expect(Transcript(chunked + "0\r\nA: b\r\nA: b\r\n\r\n", limits: limits).error == nil)
        #expect(Transcript(chunked + "0\r\nA: b\r\nA: b\r\nA: b\r\n\r\n", limits: limits).error != nil)
    }

    /// What is refused for its size is refused at the same byte however it arrives.
    @Test func limitsDoNotDependOnCuts() {
        let limits = limits {
            $0.headerLine = 20
            $0.headerTotal = 40
            $0.chunkExtensions = 10
        }
        let inputs = [
            "GET / HTTP/1.1\r\nHost: a\r\nX: \(text(18))\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: \(text(15))\r\nX: \(text(16))\r\n\r\n",
            chunked + "1;aaaa\r\nx\r\n0;bbbbb\r\n\r\n",
        ]
        for input in inputs {
            let bytes = Array(input.utf8)
            let whole = Transcript(bytes, limits: limits)
            #expect(whole.error != nil)
            for cut in 0...bytes.count {
                #expect(Transcript(pieces: [bytes[..<cut], bytes[cut...]], limits: limits) == whole, "cut at \(cut)")
            }
        }
    }
}
