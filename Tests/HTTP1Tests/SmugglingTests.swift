import HTTP1
import TestSupport
import Testing

/// Requests that two implementations have been seen to read differently, or that the RFCs tell a server to refuse. Each
/// row names the section and what must be refused; `GET /smuggled` stands where an attacker would hide a request.
@Suite struct SmugglingTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let section: String
        let name: String
        let bytes: [UInt8]
        let error: RequestError
        let status: Int

        init(_ section: String, _ name: String, _ text: String, _ error: RequestError, _ status: Int) {
            self.section = section
            self.name = name
            // Latin-1, so that a row can hold any byte.
            bytes = text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
            self.error = error
            self.status = status
        }

        var testDescription: String { "\(section): \(name)" }
    }

    /// A POST with these header lines and this after the head.
    private static func post(_ fields: String, _ body: String = "0\r\n\r\nGET /smuggled HTTP/1.1\r\n") -> String {
        "POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n\(body)"
    }

    private static func get(_ fields: String) -> String { "GET / HTTP/1.1\r\n\(fields)\r\n\r\n" }

    private static let limit = RequestLimits().body

    static let framing: [Row] = [
        Row(
            "9112 6.1",
            "CL.TE",
            post("Content-Length: 6\r\nTransfer-Encoding: chunked"),
            .contentLengthWithTransferEncoding,
            400
        ),
        Row(
            "9112 6.1",
            "TE.CL",
            post("Transfer-Encoding: chunked\r\nContent-Length: 6"),
            .contentLengthWithTransferEncoding,
            400
        ),
        Row(
            "9112 6.1",
            "TE with CL 0",
            post("Transfer-Encoding: chunked\r\nContent-Length: 0"),
            .contentLengthWithTransferEncoding,
            400
        ),
        Row("9110 8.6", "two lengths", post("Content-Length: 5\r\nContent-Length: 6"), .repeatedContentLength, 400),
        Row(
            "9110 8.6",
            "the same length twice",
            post("Content-Length: 5\r\nContent-Length: 5"),
            .repeatedContentLength,
            400
        ),
        Row(
            "9110 8.6",
            "two lengths, other case",
            post("Content-Length: 5\r\ncontent-LENGTH: 0"),
            .repeatedContentLength,
            400
        ),
        Row("9110 8.6", "list of lengths", post("Content-Length: 5,5"), .malformedContentLength, 400),
        Row("9110 8.6", "list with space", post("Content-Length: 5, 5"), .malformedContentLength, 400),
        Row("9110 8.6", "plus", post("Content-Length: +5"), .malformedContentLength, 400),
        Row("9110 8.6", "minus", post("Content-Length: -5"), .malformedContentLength, 400),
        Row("9110 8.6", "minus zero", post("Content-Length: -0"), .malformedContentLength, 400),
        Row("9110 8.6", "hexadecimal", post("Content-Length: 0x5"), .malformedContentLength, 400),
        Row("9110 8.6", "hexadecimal digit", post("Content-Length: 1a"), .malformedContentLength, 400),
        Row("9110 8.6", "fraction", post("Content-Length: 5.0"), .malformedContentLength, 400),
        Row("9110 8.6", "exponent", post("Content-Length: 1e1"), .malformedContentLength, 400),
        Row("9110 8.6", "underscore", post("Content-Length: 1_0"), .malformedContentLength, 400),
        Row("9110 8.6", "inner space", post("Content-Length: 1 0"), .malformedContentLength, 400),
        Row("9110 8.6", "empty length", post("Content-Length:"), .malformedContentLength, 400),
        Row("9110 8.6", "quoted", post("Content-Length: \"5\""), .malformedContentLength, 400),
        Row("9110 8.6", "superscript digit", post("Content-Length: \u{B2}"), .malformedContentLength, 400),
        Row("9110 8.6", "2^64", post("Content-Length: 18446744073709551616"), .bodyTooLarge(limit: limit), 413),
        Row("9110 8.6", "2^64 + 5", post("Content-Length: 18446744073709551621"), .bodyTooLarge(limit: limit), 413),
        Row("9110 8.6", "2^63", post("Content-Length: 9223372036854775808"), .bodyTooLarge(limit: limit), 413),
        Row(
            "9110 8.6",
            "100 digits",
            post("Content-Length: " + String(repeating: "9", count: 100)),
            .bodyTooLarge(limit: limit),
            413
        ),
        Row("9112 6.3", "no chunked", post("Transfer-Encoding: gzip"), .chunkedNotFinal, 400),
        Row("9112 6.3", "identity", post("Transfer-Encoding: identity"), .chunkedNotFinal, 400),
        Row("9112 6.3", "chunked not last", post("Transfer-Encoding: chunked, identity"), .chunkedNotFinal, 400),
        Row(
            "9112 6.3",
            "chunked not last, two lines",
            post("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip"),
            .chunkedNotFinal,
            400
        ),
        Row("9112 6.1", "chunked twice", post("Transfer-Encoding: chunked, chunked"), .chunkedNotFinal, 400),
        Row(
            "9112 6.1",
            "chunked twice, two lines",
            post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
            .chunkedNotFinal,
            400
        ),
        Row("9112 6.1", "gzip before chunked", post("Transfer-Encoding: gzip, chunked"), .unknownTransferCoding, 501),
        Row("9112 6.1", "empty element", post("Transfer-Encoding: , chunked"), .unknownTransferCoding, 501),
        Row("9112 6.3", "empty last element", post("Transfer-Encoding: chunked,"), .chunkedNotFinal, 400),
        Row("9112 6.3", "empty coding", post("Transfer-Encoding:"), .chunkedNotFinal, 400),
        Row("9112 6.3", "xchunked", post("Transfer-Encoding: xchunked"), .chunkedNotFinal, 400),
        Row("9112 7", "chunked with parameter", post("Transfer-Encoding: chunked;q=1"), .chunkedNotFinal, 400),
        Row("9112 6.3", "quoted chunked", post("Transfer-Encoding: \"chunked\""), .chunkedNotFinal, 400),
        Row("9112 6.3", "chunked with no-break space", post("Transfer-Encoding: \u{A0}chunked"), .chunkedNotFinal, 400),
        Row("9110 5.5", "chunked after VT", post("Transfer-Encoding: \u{0B}chunked"), .controlByte(0x0B), 400),
        Row(
            "9112 6.1",
            "TE on 1.0",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            .transferEncodingOnHTTP10,
            400
        ),
        Row(
            "9112 6.1",
            "TE with CL on 1.0",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
            .transferEncodingOnHTTP10,
            400
        ),
        Row(
            "9112 6.3",
            "TE with a malformed CL",
            post("Content-Length: x\r\nTransfer-Encoding: chunked"),
            .contentLengthWithTransferEncoding,
            400
        ),
        Row(
            "9112 6.3",
            "TE with two CLs",
            post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\nContent-Length: 5"),
            .repeatedContentLength,
            400
        ),
        Row(
            "9112 6.3",
            "CL.TE, other case",
            post("CONTENT-LENGTH: 5\r\ntransfer-encoding: CHUNKED"),
            .contentLengthWithTransferEncoding,
            400
        ),
        Row(
            "9112 6.1",
            "chunked, then nothing said",
            post("Transfer-Encoding: chunked\r\nTransfer-Encoding:"),
            .chunkedNotFinal,
            400
        ),
        Row(
            "9112 6.1",
            "nothing said, then chunked",
            post("Transfer-Encoding:\r\nTransfer-Encoding: chunked"),
            .unknownTransferCoding,
            501
        ),
        Row("9112 7", "chunked with semicolon", post("Transfer-Encoding: chunked;"), .chunkedNotFinal, 400),
        Row("9112 7", "two codings without comma", post("Transfer-Encoding: chunked gzip"), .chunkedNotFinal, 400),
        Row("9112 6.1", "TE of the codings wanted", post("Transfer-Encoding: trailers"), .chunkedNotFinal, 400),
        Row(
            "9112 6.3",
            "chunked before no-break space",
            post("Transfer-Encoding: chunked\u{A0}"),
            .chunkedNotFinal,
            400
        ),
        Row("9110 5.5", "chunked before NUL", post("Transfer-Encoding: chunked\u{0}"), .controlByte(0), 400),
        Row("9110 5.5", "length after FF", post("Content-Length: \u{0C}5"), .controlByte(0x0C), 400),
        Row("9110 8.6", "length before VT", post("Content-Length: 5\u{0B}"), .controlByte(0x0B), 400),
        Row(
            "9110 8.6",
            "no-break space before the length",
            post("Content-Length: \u{A0}5"),
            .malformedContentLength,
            400
        ),
        Row("9110 8.6", "length and comma", post("Content-Length: 5,"), .malformedContentLength, 400),
        Row("9110 8.6", "comma and length", post("Content-Length: ,5"), .malformedContentLength, 400),
        Row(
            "9112 6.1",
            "TE on 1.0 that keeps alive",
            "POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            .transferEncodingOnHTTP10,
            400
        ),
        Row(
            "9110 10.1.1",
            "unknown expectation",
            post("Expect: 200-ok\r\nContent-Length: 1"),
            .unknownExpectation,
            417
        ),
    ]

    static let lines: [Row] = [
        Row("9112 2.2", "LF ends the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", .bareLineFeed, 400),
        Row("9112 2.2", "LF ends a header line", get("Host: a\nX: y"), .bareLineFeed, 400),
        Row("9112 2.2", "LF LF ends the head", "GET / HTTP/1.1\r\nHost: a\n\nGET /smuggled", .bareLineFeed, 400),
        Row("9112 2.2", "LF alone as last line", "GET / HTTP/1.1\r\nHost: a\r\n\nGET /smuggled", .bareLineFeed, 400),
        Row("9112 2.2", "CR in a value", get("Host: a\r\nX: a\rGET /smuggled"), .bareCarriageReturn, 400),
        Row("9112 2.2", "CR ends a line", "GET / HTTP/1.1\rHost: a\r\n\r\n", .bareCarriageReturn, 400),
        Row("9112 2.2", "CR CR LF", get("Host: a\r"), .bareCarriageReturn, 400),
        Row("9112 2.2", "CR in a name", get("Host: a\r\nX\rY: b"), .bareCarriageReturn, 400),
        Row("9112 2.2", "LF in a name", get("Host: a\r\nX\nY: b"), .bareLineFeed, 400),
        Row("9112 2.2", "LF CR", "GET / HTTP/1.1\n\rHost: a\n\r\n\r", .bareLineFeed, 400),
        Row(
            "9112 2.2",
            "CR alone as last line",
            "GET / HTTP/1.1\r\nHost: a\r\n\rGET /smuggled",
            .bareCarriageReturn,
            400
        ),
        Row("9112 2.2", "LF first", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .bareLineFeed, 400),
        Row("9112 2.2", "CR first", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", .bareCarriageReturn, 400),
        Row("9112 2.2", "tab before the first header", get("\tHost: a"), .obsoleteFolding, 400),
        Row("9112 2.2", "white space alone before the headers", get(" \r\nHost: a"), .obsoleteFolding, 400),
        Row("9112 5.2", "folded length", post("Content-Length:\r\n 5"), .obsoleteFolding, 400),
        Row("9112 5.2", "folded Host", get("Host:\r\n a"), .obsoleteFolding, 400),
        Row("9112 5.2", "folded by nothing", get("Host: a\r\nX: a\r\n \r\nY: b"), .obsoleteFolding, 400),
        Row("9110 5.5", "ESC in a value", get("Host: a\r\nX: a\u{1B}[2J"), .controlByte(0x1B), 400),
        Row("9112 5.1", "space before Host's colon", get("Host : a"), .whitespaceBeforeColon, 400),
        Row("9112 5.1", "only white space before a colon", get("Host: a\r\nX: y\r\n : 5"), .obsoleteFolding, 400),
        Row(
            "9110 5.6.2",
            "no-break space ends a name",
            post("Content-Length\u{A0}: 5"),
            .invalidFieldNameByte(0xA0),
            400
        ),
        Row("9110 5.6.2", "VT before the colon", post("Transfer-Encoding\u{0B}: chunked"), .controlByte(0x0B), 400),
        Row(
            "9110 5.6.2",
            "a request as a name",
            get("Host: a\r\nGET /smuggled HTTP/1.1: x"),
            .invalidFieldNameByte(0x20),
            400
        ),
        Row("9112 2.2", "two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .emptyLines, 400),
        Row("9110 5.5", "NUL in a value", get("Host: a\r\nX: a\u{0}b"), .controlByte(0), 400),
        Row("9110 5.5", "NUL in a name", get("Host: a\r\nX\u{0}Y: b"), .controlByte(0), 400),
        Row("9110 5.5", "DEL in a value", get("Host: a\r\nX: a\u{7F}"), .controlByte(0x7F), 400),
        Row("9112 5.2", "folded line", get("Host: a\r\nX: a\r\n b"), .obsoleteFolding, 400),
        Row("9112 5.2", "folded by tab", get("Host: a\r\nTransfer-Encoding:\r\n\tchunked"), .obsoleteFolding, 400),
        Row("9112 2.2", "space before the first header", get(" Host: a"), .obsoleteFolding, 400),
        Row("9112 5.1", "space before the colon", post("Content-Length : 5"), .whitespaceBeforeColon, 400),
        Row("9112 5.1", "tab before the colon", post("Transfer-Encoding\t: chunked"), .whitespaceBeforeColon, 400),
        Row("9110 5.6.2", "space in a name", get("Host: a\r\nContent Length: 5"), .invalidFieldNameByte(0x20), 400),
        Row("9110 5.6.2", "bracket in a name", get("Host: a\r\n[X]: 5"), .invalidFieldNameByte(0x5B), 400),
        Row("9110 5.6.2", "obs-text in a name", get("Host: a\r\n\u{FF}X: 5"), .invalidFieldNameByte(0xFF), 400),
        Row("9112 5", "no colon", get("Host: a\r\nContent-Length 5"), .missingColon, 400),
        Row("9112 5", "no name", get("Host: a\r\n: 5"), .emptyFieldName, 400),
    ]

    static let hosts: [Row] =
        [
            Row("9112 3.2", "no Host", get("X: y"), .missingHost, 400),
            Row("9112 3.2", "two Hosts", get("Host: a\r\nHost: b"), .repeatedHost, 400),
            Row("9112 3.2", "the same Host twice", get("Host: a\r\nHost: a"), .repeatedHost, 400),
            Row("9112 3.2", "two Hosts on 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", .repeatedHost, 400),
            Row("9112 3.2", "two Hosts, other case", get("Host: a\r\nhOST: b"), .repeatedHost, 400),
            Row("9112 3.2", "an empty Host and another", get("Host:\r\nHost: b"), .repeatedHost, 400),
            Row("9112 3.2", "two Hosts far apart", get("Host: a\r\nX: y\r\nZ: w\r\nHost: a"), .repeatedHost, 400),
            Row(
                "9112 3.2.2",
                "absolute form with a bad Host",
                "GET http://a/ HTTP/1.1\r\nHost: b/\r\n\r\n",
                .invalidHost,
                400
            ),
            Row("9112 3.2", "absolute form without Host", "GET http://a/ HTTP/1.1\r\n\r\n", .missingHost, 400),
        ]
        + [
            "a b", "a,b c", "a/b", "a?b", "a#b", "a@b", "user:pass@a", "a:b", "a:80:80", "a:-1", "a:+80", "a:65536",
            "a:000080", ":80", ":", "http://a", "a\\b", "a%2", "a%zz", "a%", "a<b>", "a\"b", "a\u{E9}", "a{b}", "a|b",
            "a^b",
            "[::1", "::1", "[]", "[:]", "[:::]", "[::1]x", "[::1]80", "[::1]:x", "[1:2:3:4:5:6:7]",
            "[1:2:3:4:5:6:7:8:9]",
            "[1:2:3:4:5:6:7::8:9]", "[12345::]", "[::g]", "[1::2::3]", "[::1.2.3]", "[::1.2.3.256]", "[::1.2.3.04]",
            "[::1%25eth0]",
            "[1.2.3.4]", "[1.2.3.4::]", "[v1.a]", "[1:]", "[:1::]",
        ]
        .map { Row("9110 7.2", "Host \($0)", get("Host: \($0)"), .invalidHost, 400) }

    static let requestLines: [Row] = [
        Row("9112 3", "no version", "GET /\r\n\r\n", .malformedRequestLine, 400),
        Row("9112 3", "no target", "GET HTTP/1.1\r\n\r\n", .malformedRequestLine, 400),
        Row("9112 3", "empty target", "GET  HTTP/1.1\r\n\r\n", .malformedRequestLine, 400),
        Row("9112 3", "leading space", " GET / HTTP/1.1\r\n\r\n", .malformedRequestLine, 400),
        Row("9112 3", "two spaces before the target", "GET  / HTTP/1.1\r\n\r\n", .invalidTarget, 400),
        Row("9112 3", "two spaces after the target", "GET /  HTTP/1.1\r\n\r\n", .invalidTarget, 400),
        Row("9112 3", "trailing space", "GET / HTTP/1.1 \r\n\r\n", .malformedVersion, 400),
        Row("9112 3", "two targets", "GET / /smuggled HTTP/1.1\r\n\r\n", .invalidTarget, 400),
        Row("9112 3", "tab for space", "GET\t/ HTTP/1.1\r\n\r\n", .malformedRequestLine, 400),
        Row("9110 5.6.2", "bracket in the method", "GE{ / HTTP/1.1\r\n\r\n", .invalidMethodByte(0x7B), 400),
        Row("9112 3", "VT for space", "GET\u{0B}/ HTTP/1.1\r\n\r\n", .controlByte(0x0B), 400),
        Row("9112 3", "FF for space", "GET /\u{0C}HTTP/1.1\r\n\r\n", .controlByte(0x0C), 400),
        Row("9112 3", "CR for space", "GET /\rHTTP/1.1\r\n\r\n", .bareCarriageReturn, 400),
        Row("9112 3", "tab after the target", "GET /\tHTTP/1.1\r\n\r\n", .malformedRequestLine, 400),
        Row("9112 3", "NUL in the target", "GET /a\u{0}b HTTP/1.1\r\n\r\n", .controlByte(0), 400),
        Row("9112 3.1", "colon in the method", "GET: / HTTP/1.1\r\n\r\n", .invalidMethodByte(0x3A), 400),
        Row("9112 3.1", "byte above 127 in the method", "G\u{C9}T / HTTP/1.1\r\n\r\n", .invalidMethodByte(0xC9), 400),
        Row("9112 3", "a header first", "Host: a\r\n\r\n", .malformedRequestLine, 400),
        Row("9112 2.3", "space in the version", "GET / HTTP/1. 1\r\n\r\n", .malformedVersion, 400),
        Row("9112 2.3", "more behind the version", "GET / HTTP/1.1x\r\n\r\n", .malformedVersion, 400),
        Row("9112 2.3", "sign in the version", "GET / HTTP/+1.1\r\n\r\n", .malformedVersion, 400),
        Row("9112 2.3", "lower case", "GET / http/1.1\r\n\r\n", .malformedVersion, 400),
        Row("9112 2.3", "two digits", "GET / HTTP/1.10\r\n\r\n", .malformedVersion, 400),
        Row("9112 2.3", "leading zero", "GET / HTTP/01.1\r\n\r\n", .malformedVersion, 400),
        Row("9112 2.3", "comma", "GET / HTTP/1,1\r\n\r\n", .malformedVersion, 400),
        Row("9112 2.3", "no minor", "GET / HTTP/1\r\n\r\n", .malformedVersion, 400),
        Row("9112 2.3", "other protocol", "GET / ICY/1.1\r\n\r\n", .malformedVersion, 400),
        Row("9110 15.6.6", "2.0", "GET / HTTP/2.0\r\n\r\n", .unsupportedVersion, 505),
        Row("9113 3.4", "preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .unsupportedVersion, 505),
        Row("9110 15.6.6", "0.9", "GET / HTTP/0.9\r\n\r\n", .unsupportedVersion, 505),
        Row("9110 9.3.6", "CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", .connectNotImplemented, 501),
        Row("9112 3.2.4", "asterisk without OPTIONS", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget, 400),
        Row("9112 3.2.4", "asterisk and more", "OPTIONS *x HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget, 400),
        Row("9112 3.2", "relative path", "GET index HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget, 400),
        Row("9112 3.2.3", "authority form", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget, 400),
        Row("9112 3.2.2", "other scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget, 400),
        Row("9110 4.2.1", "empty host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget, 400),
        Row("9110 4.2.4", "user information", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget, 400),
        Row("3986 3.5", "fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget, 400),
        Row("3986 2.1", "half an escape", "GET /a%2 HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget, 400),
        Row("3986 2.1", "escape without digits", "GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget, 400),
        Row("3986 3.3", "backslash", "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget, 400),
        Row("3986 2", "byte above 127", "GET /\u{E9} HTTP/1.1\r\nHost: a\r\n\r\n", .invalidTarget, 400),
        Row("9110 5.5", "TLS on a plain port", "\u{16}\u{03}\u{01}", .controlByte(0x16), 400),
    ]

    private static func chunked(_ body: String) -> String { post("Transfer-Encoding: chunked", body) }

    static let chunks: [Row] = [
        Row("9112 7.1", "no digit", chunked("\r\n"), .malformedChunkSize, 400),
        Row("9112 7.1", "0x", chunked("0x5\r\nhello\r\n0\r\n\r\n"), .malformedChunkSize, 400),
        Row("9112 7.1", "plus", chunked("+5\r\nhello\r\n"), .malformedChunkSize, 400),
        Row("9112 7.1", "minus", chunked("-5\r\nhello\r\n"), .malformedChunkSize, 400),
        Row("9112 7.1", "leading space", chunked(" 5\r\nhello\r\n"), .malformedChunkSize, 400),
        Row("9112 7.1", "trailing space", chunked("5 \r\nhello\r\n"), .malformedChunkSize, 400),
        Row("9112 7.1", "not hexadecimal", chunked("5g\r\nhello\r\n"), .malformedChunkSize, 400),
        Row("9112 7.1", "comma", chunked("5,5\r\nhello\r\n"), .malformedChunkSize, 400),
        Row("9112 7.1", "extension without size", chunked(";a=b\r\n"), .malformedChunkSize, 400),
        Row("9112 7.1", "17 digits", chunked("00000000000000005\r\nhello\r\n"), .malformedChunkSize, 400),
        Row("9112 7.1", "2^64", chunked("10000000000000000\r\n"), .malformedChunkSize, 400),
        Row("9112 7.1", "tab after the size", chunked("5\t\r\nhello\r\n"), .malformedChunkSize, 400),
        Row("9112 7.1", "underscore", chunked("1_0\r\nhello\r\n"), .malformedChunkSize, 400),
        Row("9112 7.1", "h behind the size", chunked("5h\r\nhello\r\n"), .malformedChunkSize, 400),
        Row("9112 7.1", "digit above 127", chunked("\u{B2}\r\nhello\r\n"), .malformedChunkSize, 400),
        Row("9112 7.1", "NUL behind the size", chunked("5\u{0}\r\nhello\r\n"), .controlByte(0), 400),
        Row("9112 7.1", "size on the next line", chunked("\r\n5\r\nhello\r\n"), .malformedChunkSize, 400),
        Row("9112 7.1.1", "line end in quotes", chunked("5;a=\"\r\nhello\"\r\n0\r\n\r\n"), .chunkNotTerminated, 400),
        Row("9112 7.1", "data too short", chunked("7\r\nhello\r\n0\r\n\r\n"), .chunkNotTerminated, 400),
        Row("9112 7.1", "2^64 - 1", chunked("ffffffffffffffff\r\n"), .bodyTooLarge(limit: limit), 413),
        Row("9112 7.1", "2^63", chunked("8000000000000000\r\n"), .bodyTooLarge(limit: limit), 413),
        Row("9112 2.2", "LF after the size", chunked("5\nhello\r\n"), .bareLineFeed, 400),
        Row("9112 2.2", "CR after the size", chunked("5\rhello\r\n"), .bareCarriageReturn, 400),
        Row("9112 7.1.1", "LF in an extension", chunked("5;a\nhello\r\n"), .bareLineFeed, 400),
        Row("9112 7.1.1", "CR in an extension", chunked("5;a\rb\r\nhello\r\n"), .bareCarriageReturn, 400),
        Row("9112 7.1.1", "NUL in an extension", chunked("5;a\u{0}\r\nhello\r\n"), .controlByte(0), 400),
        Row("9112 7.1", "data too long", chunked("5\r\nhello!\r\n0\r\n\r\n"), .chunkNotTerminated, 400),
        Row("9112 7.1", "LF after the data", chunked("5\r\nhello\n0\r\n\r\n"), .bareLineFeed, 400),
        Row("9112 7.1", "CR after the data", chunked("5\r\nhello\r0\r\n\r\n"), .bareCarriageReturn, 400),
        Row("9112 7.1", "nothing after the data", chunked("5\r\nhello0\r\n\r\n"), .chunkNotTerminated, 400),
        Row("9112 7.1.2", "folded trailer", chunked("0\r\nX: a\r\n b\r\n\r\n"), .obsoleteFolding, 400),
        Row("9112 7.1.2", "LF ends the trailers", chunked("0\r\nX: a\n\n"), .bareLineFeed, 400),
        Row("9112 7.1.2", "NUL in a trailer", chunked("0\r\nX: a\u{0}\r\n\r\n"), .controlByte(0), 400),
        Row("9112 7.1.2", "CR in a trailer", chunked("0\r\nX: a\rY: b\r\n\r\n"), .bareCarriageReturn, 400),
        Row("9112 7.1.2", "folded first trailer", chunked("0\r\n X: a\r\n\r\n"), .obsoleteFolding, 400),
        Row("9112 7.1.2", "space before a trailer's colon", chunked("0\r\nX : a\r\n\r\n"), .whitespaceBeforeColon, 400),
        Row(
            "9112 7.1.2",
            "request in place of trailers",
            chunked("0\r\nGET /smuggled HTTP/1.1\r\n\r\n"),
            .missingColon,
            400
        ),
    ]

    @Test(arguments: framing + lines + hosts + requestLines + chunks)
    func isRefused(row: Row) {
        let transcript = Transcript(row.bytes)
        #expect(transcript.error == row.error, "\(transcript)")
        #expect(row.error.status.code == row.status)
        #expect(transcript.completed == 0, "nothing may pass before the error: \(transcript)")
    }

    /// The same verdict, whatever the pieces in which the request arrives.
    @Test(arguments: framing + lines + hosts + requestLines + chunks)
    func isRefusedAlikeWhenCutAnywhere(row: Row) {
        let whole = Transcript(row.bytes)
        for cut in 0...row.bytes.count {
            #expect(Transcript(pieces: [row.bytes[..<cut], row.bytes[cut...]]) == whole, "cut at \(cut)")
        }
        #expect(Transcript(pieces: row.bytes.map { [$0] }) == whole, "byte by byte")
    }

    @Test func aParserThatFailedStaysFailed() {
        var parser = RequestParser()
        for input in ["GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
            var offset = 0
            #expect(throws: RequestError.bareLineFeed) { try parser.next(in: Array(input.utf8).span, at: &offset) }
        }
    }
}
