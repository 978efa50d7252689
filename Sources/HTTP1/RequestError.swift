/// What is wrong with a request. After any of these the place where the next request starts is a guess, and guessing is
/// how requests are smuggled: answer `status` and close the connection.
public enum RequestError: Error, Sendable, Hashable {
    // Lines (RFC 9112, 2.2)
    case bareLineFeed
    case bareCarriageReturn
    case controlByte(UInt8)
    // The request line (RFC 9112, 3)
    case emptyLines
    case malformedRequestLine
    case invalidMethodByte(UInt8)
    case malformedVersion
    case unsupportedVersion
    case invalidTarget
    case targetTooLong(limit: Int)
    case connectNotImplemented
    // Header fields (RFC 9112, 5)
    case obsoleteFolding
    case missingColon
    case emptyFieldName
    case whitespaceBeforeColon
    case invalidFieldNameByte(UInt8)
    case headerLineTooLong(limit: Int)
    case tooManyHeaders(limit: Int)
    case headersTooLarge(limit: Int)
    // Host (RFC 9112, 3.2)
    case missingHost
    case repeatedHost
    case invalidHost
    // Framing (RFC 9112, 6)
    case contentLengthWithTransferEncoding
    case repeatedContentLength
    case malformedContentLength
    case transferEncodingOnHTTP10
    case chunkedNotFinal
    case unknownTransferCoding
    case bodyTooLarge(limit: Int)
    case unknownExpectation
    // Chunks (RFC 9112, 7.1)
    case malformedChunkSize
    case chunkNotTerminated
    case chunkExtensionsTooLarge(limit: Int)
    case trailersTooLarge(limit: Int)

    /// The status to answer with.
    public var status: HTTPStatus {
        switch self {
        case .unsupportedVersion: .versionNotSupported
        case .targetTooLong: .uriTooLong
        case .connectNotImplemented, .unknownTransferCoding: .notImplemented
        case .headerLineTooLong, .tooManyHeaders, .headersTooLarge, .trailersTooLarge: .requestHeaderFieldsTooLarge
        case .bodyTooLarge, .chunkExtensionsTooLarge: .contentTooLarge
        case .unknownExpectation: .expectationFailed
        default: .badRequest
        }
    }

    /// What was wrong and what would be right, for the client's eyes. Never echoes bytes of the request but as numbers.
    public var message: String {
        switch self {
        case .bareLineFeed: "a line ends with LF alone; lines end with CR LF"
        case .bareCarriageReturn: "a CR is not followed by LF; lines end with CR LF and hold no other CR"
        case .controlByte(let byte): "control byte \(hex(byte)) in the head of the request; it must not hold any"
        case .emptyLines: "more than one empty line before the request line"
        case .malformedRequestLine: "the request line is not `method SP target SP HTTP/1.1` with single spaces"
        case .invalidMethodByte(let byte):
            "byte \(hex(byte)) in the method; a method is letters, digits and !#$%&'*+-.^_`|~"
        case .malformedVersion: "the request line does not end with a version such as HTTP/1.1"
        case .unsupportedVersion: "this server speaks HTTP/1.1 and HTTP/1.0"
        case .invalidTarget:
            "the request target is not a path that starts with `/`, an http or https URI, or (for OPTIONS) `*`, "
                + "with other bytes percent-encoded"
        case .targetTooLong(let limit): "the request target is longer than \(limit) bytes"
        case .connectNotImplemented: "CONNECT is not implemented; this server is not a proxy"
        case .obsoleteFolding: "a header line starts with white space; folded lines are not allowed"
        case .missingColon: "a header line has no colon; header lines are `name: value`"
        case .emptyFieldName: "a header line has no name before its colon"
        case .whitespaceBeforeColon: "white space between a header's name and its colon"
        case .invalidFieldNameByte(let byte):
            "byte \(hex(byte)) in a header's name; a name is letters, digits and !#$%&'*+-.^_`|~"
        case .headerLineTooLong(let limit): "a header line is longer than \(limit) bytes"
        case .tooManyHeaders(let limit): "more than \(limit) header lines"
        case .headersTooLarge(let limit): "the header lines together are longer than \(limit) bytes"
        case .missingHost: "the Host header is missing; HTTP/1.1 requires it"
        case .repeatedHost: "more than one Host header"
        case .invalidHost: "the Host header is not `host` or `host:port`"
        case .contentLengthWithTransferEncoding: "both Content-Length and Transfer-Encoding; send one of them"
        case .repeatedContentLength: "more than one Content-Length header"
        case .malformedContentLength: "Content-Length is not a decimal number of digits only"
        case .transferEncodingOnHTTP10: "Transfer-Encoding in an HTTP/1.0 request; use Content-Length or HTTP/1.1"
        case .chunkedNotFinal: "Transfer-Encoding does not end with `chunked`, applied once; the body has no length"
        case .unknownTransferCoding: "a transfer coding other than `chunked`; send `Transfer-Encoding: chunked` alone"
        case .bodyTooLarge(let limit): "the body is larger than \(limit) bytes"
        case .unknownExpectation: "an expectation other than `100-continue`"
        case .malformedChunkSize: "a chunk does not start with its size in at most 16 hexadecimal digits"
        case .chunkNotTerminated: "the data of a chunk are not followed by CR LF at the size that was announced"
        case .chunkExtensionsTooLarge(let limit): "the chunk extensions together are longer than \(limit) bytes"
        case .trailersTooLarge(let limit): "the trailer lines are longer than \(limit) bytes in all, or too many"
        }
    }
}

private func hex(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16, uppercase: true)
    return digits.count == 1 ? "0x0\(digits)" : "0x\(digits)"
}
