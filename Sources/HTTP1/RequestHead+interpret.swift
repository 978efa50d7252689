// From checked lines to a head: what the fields that decide framing, host and persistence mean together.

extension RequestHead {
    /// The fields that the server itself obeys, gathered in one walk over the headers.
    private struct Directives {
        var host: ArraySlice<UInt8>?
        var contentLength: ArraySlice<UInt8>?
        var codings: [ArraySlice<UInt8>]?
        var expects = false
        var close = false
        var keepAlive = false

        init(_ headers: HTTPHeaders) throws(RequestError) {
            for field in headers.fields {
                let name = headers.name(field)
                switch name.count {
                case 4 where equalsIgnoringCase(name, "host"):
                    // RFC 9112, 3.2. Attack: two hops that each believe another one.
                    guard host == nil else { throw .repeatedHost }
                    host = headers.value(field)
                case 6 where equalsIgnoringCase(name, "expect"):
                    // RFC 9110, 10.1.1: any other expectation may be answered 417.
                    guard equalsIgnoringCase(headers.value(field), "100-continue") else { throw .unknownExpectation }
                    expects = true
                case 10 where equalsIgnoringCase(name, "connection"):
                    for option in elements(headers.value(field)) {
                        if equalsIgnoringCase(option, "close") { close = true }
                        if equalsIgnoringCase(option, "keep-alive") { keepAlive = true }
                    }
                case 14 where equalsIgnoringCase(name, "content-length"):
                    // RFC 9110, 8.6 allows to merge equal ones. Attack (CL.CL): a hop that took the other; none is safe.
                    guard contentLength == nil else { throw .repeatedContentLength }
                    contentLength = headers.value(field)
                case 17 where equalsIgnoringCase(name, "transfer-encoding"):
                    codings = (codings ?? []) + elements(headers.value(field))
                default:
                    break
                }
            }
        }
    }

    /// - Throws: `RequestError` for what RFC 9112, 3.2, 6.1 and 6.3 forbid, and for a `Content-Length` above the limit.
    init(
        method: HTTPMethod,
        target: RequestTarget,
        version: HTTPVersion,
        headers: HTTPHeaders,
        limits: RequestLimits
    ) throws(RequestError) {
        let directives = try Directives(headers)
        try Self.check(host: directives.host, version: version)
        let body = try Self.framing(directives, version: version, limit: limits.body)
        self.init(
            method: method,
            target: target,
            version: version,
            headers: headers,
            body: body,
            // RFC 9112, 9.3: `close` wins; 1.0 lasts only when asked.
            keepAlive: !directives.close && (version == .http11 || directives.keepAlive)
        )
        // RFC 9110, 10.1.1: ignored in 1.0, and where no body is to come.
        expectsContinue = directives.expects && version == .http11 && hasBody
    }

    private static func check(host: ArraySlice<UInt8>?, version: HTTPVersion) throws(RequestError) {
        guard let host else {
            // RFC 9112, 3.2: required in 1.1; a balancer's `OPTIONS / HTTP/1.0` comes without.
            guard version == .http10 else { throw .missingHost }
            return
        }
        // RFC 9112, 3.2: an empty Host is what a client sends whose target has no authority.
        guard host.isEmpty || Authority.isValid(host) else { throw .invalidHost }
    }

    private static func framing(
        _ directives: Directives,
        version: HTTPVersion,
        limit: Int
    ) throws(RequestError) -> BodyFraming {
        if let codings = directives.codings {
            // RFC 9112, 6.1: faulty framing. Attack: a 1.0 hop does not know the header and reads the body as requests.
            guard version == .http11 else { throw .transferEncodingOnHTTP10 }
            // RFC 9112, 6.3, 3. Attack (CL.TE, TE.CL): one hop counts bytes, the other chunks.
            guard directives.contentLength == nil else { throw .contentLengthWithTransferEncoding }
            // RFC 9112, 6.3, 4. Attack (TE.TE): `xchunked`, `chunked, identity`, `chunked, chunked`: one hop sees chunked.
            guard let last = codings.last, equalsIgnoringCase(last, "chunked"),
                codings.count(where: { equalsIgnoringCase($0, "chunked") }) == 1
            else { throw .chunkedNotFinal }
            guard codings.count == 1 else { throw .unknownTransferCoding }
            return .chunked
        }
        guard let digits = directives.contentLength else { return .none }
        // RFC 9110, 8.6: 1*DIGIT. Attack: `+5`, `0x5`, `5,5`, `5 5`, which lax number parsers read as they please.
        guard !digits.isEmpty, digits.allSatisfy(\.isDigit) else { throw .malformedContentLength }
        var length = 0
        for digit in digits {
            // Attack: 2^64 + 5 wraps to 5 in a hop that does not look.
            let (tens, overflow) = length.multipliedReportingOverflow(by: 10)
            let (sum, carry) = tens.addingReportingOverflow(Int(digit - UInt8(ascii: "0")))
            guard !overflow, !carry, sum <= limit else { throw .bodyTooLarge(limit: limit) }
            length = sum
        }
        return .length(length)
    }
}

/// The elements of a comma-separated list (RFC 9110, 5.6.1) without the white space around them. Empty elements are
/// kept: where they matter they are an error.
func elements(_ value: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
    value.split(separator: .comma, omittingEmptySubsequences: false).map(trimmingWhitespace)
}

/// Without optional white space (RFC 9110, 5.6.3) at both ends.
func trimmingWhitespace(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard let first = bytes.firstIndex(where: { !$0.isWhitespace }),
        let last = bytes.lastIndex(where: { !$0.isWhitespace })
    else { return bytes.prefix(0) }
    return bytes[first...last]
}
