import HTTP1
import TestSupport
import Testing

/// Every byte value at every structural position, judged against the grammar written out once more.
@Suite struct EveryByteTests {
    private static let letters = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    private static let digits = Set("0123456789".utf8)
    private static let token = letters.union(digits).union("!#$%&'*+-.^_`|~".utf8)

    /// Which bytes, between `before` and `after`, make one complete request and nothing else.
    private func accepted(_ before: String, _ after: String) -> Set<UInt8> {
        Set(
            (UInt8.min...UInt8.max).filter { byte in
                let transcript = Transcript(Array(before.utf8) + [byte] + Array(after.utf8))
                return transcript.completed == 1 && transcript.error == nil
            }
        )
    }

    @Test func inTheMethod() {
        // `T` stands behind; a space makes the method `GE`, and `T /` no target.
        #expect(accepted("GE", "T / HTTP/1.1\r\nHost: a\r\n\r\n") == Self.token)
    }

    @Test func inThePath() {
        let path = Self.letters.union(Self.digits).union("-._~!$&'()*+,;=:@/".utf8)
        // `?` starts a query, and `%` is not followed by digits here.
        #expect(accepted("GET /", "x HTTP/1.1\r\nHost: a\r\n\r\n") == path.union("?".utf8))
        let hexadecimal = Self.digits.union("abcdefABCDEF".utf8)
        #expect(accepted("GET /%4", " HTTP/1.1\r\nHost: a\r\n\r\n") == hexadecimal)
        #expect(accepted("GET /%", "4 HTTP/1.1\r\nHost: a\r\n\r\n") == hexadecimal)
    }

    @Test func atTheStartOfTheTarget() {
        #expect(accepted("GET ", " HTTP/1.1\r\nHost: a\r\n\r\n") == Set("/".utf8))
        #expect(accepted("OPTIONS ", " HTTP/1.1\r\nHost: a\r\n\r\n") == Set("/*".utf8))
    }

    @Test func inTheQuery() {
        let visible = Set(UInt8(0x21)...0x7E)
        #expect(accepted("GET /?", " HTTP/1.1\r\nHost: a\r\n\r\n") == visible.subtracting("\"#<>".utf8))
    }

    @Test func inTheVersion() {
        #expect(accepted("GET / ", "TTP/1.1\r\nHost: a\r\n\r\n") == Set("H".utf8))
        #expect(accepted("GET / HTTP/", ".1\r\nHost: a\r\n\r\n") == Set("1".utf8))
        #expect(accepted("GET / HTTP/1", "1\r\nHost: a\r\n\r\n") == Set(".".utf8))
        #expect(accepted("GET / HTTP/1.", "\r\nHost: a\r\n\r\n") == Self.digits)
    }

    @Test func inPlaceOfASpace() {
        #expect(accepted("GET", "/ HTTP/1.1\r\nHost: a\r\n\r\n") == Set(" ".utf8))
        #expect(accepted("GET /", "HTTP/1.1\r\nHost: a\r\n\r\n") == Set(" ".utf8))
    }

    @Test func inAHeadersName() {
        // A colon ends the name: `X:Y: z` has the value `Y: z`.
        let name = Self.token.union(":".utf8)
        #expect(accepted("GET / HTTP/1.1\r\nHost: a\r\nX", "Y: z\r\n\r\n") == name)
        #expect(accepted("GET / HTTP/1.1\r\nHost: a\r\n", "Y: z\r\n\r\n") == Self.token)
        #expect(accepted("GET / HTTP/1.1\r\nHost: a\r\nXY", ": z\r\n\r\n") == name)
    }

    @Test func inPlaceOfAColon() {
        #expect(accepted("GET / HTTP/1.1\r\nHost: a\r\nX", " z\r\n\r\n") == Set(":".utf8))
    }

    @Test func inAHeadersValue() {
        let value = Set(UInt8(0x20)...0x7E).union(UInt8(0x80)...0xFF).union([0x09])
        #expect(accepted("GET / HTTP/1.1\r\nHost: a\r\nX: y", "z\r\n\r\n") == value)
        #expect(accepted("GET / HTTP/1.1\r\nHost: a\r\nX:", "z\r\n\r\n") == value)
        #expect(accepted("GET / HTTP/1.1\r\nHost: a\r\nX: y", "\r\n\r\n") == value)
    }

    @Test func inHost() {
        let name = Self.letters.union(Self.digits).union("-._~!$&'()*+,;=".utf8)
        #expect(accepted("GET / HTTP/1.1\r\nHost: a", "b\r\n\r\n") == name)
        // White space around a value is not part of it, and a colon starts an empty port.
        #expect(accepted("GET / HTTP/1.1\r\nHost: a", "\r\n\r\n") == name.union(" \t:".utf8))
        #expect(accepted("GET / HTTP/1.1\r\nHost: a:8", "0\r\n\r\n") == Self.digits)
    }

    @Test func inContentLength() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0"
        // `001` is the one length that one byte of body fits; behind the digits, white space is not part of the value.
        #expect(accepted(head, "1\r\n\r\nx") == Set("0".utf8))
        #expect(accepted(head, "\r\n\r\n") == Set("0 \t".utf8))
    }

    @Test func inPlaceOfALineEnd() {
        #expect(accepted("GET / HTTP/1.1", "\nHost: a\r\n\r\n") == Set("\r".utf8))
        #expect(accepted("GET / HTTP/1.1\r", "Host: a\r\n\r\n") == Set("\n".utf8))
        #expect(accepted("GET / HTTP/1.1\r\nHost: a", "\n\r\n") == Set("\r".utf8))
        #expect(accepted("GET / HTTP/1.1\r\nHost: a\r\n", "\n") == Set("\r".utf8))
        #expect(accepted("GET / HTTP/1.1\r\nHost: a\r\n\r", "") == Set("\n".utf8))
    }

    private let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    @Test func inAChunksSize() {
        // One byte of data follows, so of the digits only 1 is right; larger ones run past it, and 0 finds no trailers.
        #expect(accepted(chunked, "\r\nx\r\n0\r\n\r\n") == Set("1".utf8))
        for byte in UInt8.min...UInt8.max where !"0123456789abcdefABCDEF".utf8.contains(byte) {
            let error = Transcript(Array(chunked.utf8) + [byte] + Array("\r\nx\r\n0\r\n\r\n".utf8)).error
            #expect(error != nil, "byte \(byte) must be refused, not waited upon")
        }
        // `;` starts an extension.
        #expect(accepted(chunked + "1", "\r\nx\r\n0\r\n\r\n") == Set(";".utf8))
        #expect(accepted(chunked + "0", "1\r\nx\r\n0\r\n\r\n") == Set("0".utf8))
    }

    @Test func inAChunksExtension() {
        let opaque = Set(UInt8(0x20)...0x7E).union(UInt8(0x80)...0xFF).union([0x09])
        #expect(accepted(chunked + "1;a", "b\r\nx\r\n0\r\n\r\n") == opaque)
    }

    @Test func inAndAfterAChunksData() {
        #expect(accepted(chunked + "1\r\n", "\r\n0\r\n\r\n").count == 256)
        #expect(accepted(chunked + "1\r\nx", "\n0\r\n\r\n") == Set("\r".utf8))
        #expect(accepted(chunked + "1\r\nx\r", "0\r\n\r\n") == Set("\n".utf8))
    }

    @Test func inATrailersName() {
        #expect(accepted(chunked + "0\r\nX", "Y: z\r\n\r\n") == Self.token.union(":".utf8))
        #expect(accepted(chunked + "0\r\n", "\n") == Set("\r".utf8))
    }
}
