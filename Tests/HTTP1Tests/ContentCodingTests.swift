import HTTP1
import Testing

@Suite struct ContentCodingTests {
    /// RFC 9110, 12.5.3 and 12.4.2.
    @Test(
        arguments: [
            (nil, false), ("", false), ("identity", false), ("br", false), ("deflate, br", false),
            ("gzip", true), ("GZIP", true), ("x-gzip", true), ("gzip, deflate, br", true),
            ("br;q=1.0, gzip;q=0.5", true),
            ("gzip;q=0", false), ("gzip;q=0.0", false), ("gzip;q=0.000", false), ("gzip;q=0.001", true),
            ("gzip ; q=0.5", true), ("gzip;Q=0.5", true), (" gzip\t;\tq=1.000 ", true),
            ("*", true), ("*;q=0", false), ("*;q=0.5", true), ("gzip;q=0, *", false), ("*;q=0, gzip", true),
            // The client prefers the answer as it is.
            ("identity;q=1, gzip;q=0.5", false), ("identity;q=0.5, gzip;q=1", true), ("identity, gzip", true),
            ("*;q=1, gzip;q=0.5", false), ("identity;q=0", false), ("identity;q=0, *", true),
            // Weights that are none count as no wish.
            ("gzip;q=2", false), ("gzip;q=1.001", false), ("gzip;q=0.1234", false), ("gzip;q=", false),
            ("gzip;q", false),
            ("gzip;q=-1", false), ("gzip;q=.5", false), ("gzip;q=1,", true), ("gzip;level=9", false),
            ("gzip;q=0.5;x=1", false),
            ("gzip,, ,", true), (";q=1", false), ("q=1", false), ("gzipped", false), ("* gzip", false),
        ] as [(String?, Bool)]
    )
    func acceptsGzip(field: String?, expected: Bool) {
        var headers: HTTPHeaders = [:]
        if let field { headers.append("accept-encoding", field) }
        #expect(headers.acceptsGzip == expected)
    }

    @Test func severalFieldsAreOneList() {
        #expect((["Accept-Encoding": "br", "ACCEPT-ENCODING": "gzip"] as HTTPHeaders).acceptsGzip)
        #expect(!(["Accept-Encoding": "gzip;q=0.5", "Accept-Encoding": "identity"] as HTTPHeaders).acceptsGzip)
    }

    @Test(
        arguments: [
            (nil, .identity), ("", .identity), ("identity", .identity), ("identity, identity", .identity),
            (",", .identity),
            ("gzip", .gzip), ("X-GZip", .gzip), ("identity, gzip", .gzip), ("gzip, identity", .gzip),
            (" gzip ,", .gzip),
            ("gzip, gzip", nil), ("gzip, br", nil), ("br", nil), ("deflate", nil), ("gzip;q=1", nil), ("gzip x", nil),
            ("*", nil),
        ] as [(String?, ContentCoding?)]
    )
    func contentCoding(field: String?, expected: ContentCoding?) {
        var headers: HTTPHeaders = [:]
        if let field { headers.append("Content-Encoding", field) }
        #expect(headers.contentCoding == expected)
    }

    @Test func severalFieldsAreSeveralCodings() {
        #expect((["Content-Encoding": "gzip", "content-encoding": "gzip"] as HTTPHeaders).contentCoding == nil)
    }
}
