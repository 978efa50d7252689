/// A status code with its reason phrase (RFC 9110, 15; 429 and 431 are RFC 6585).
public struct HTTPStatus: Sendable, Hashable, ExpressibleByIntegerLiteral {
    /// Three digits, 100 to 599.
    public let code: Int

    /// - Precondition: `code` is 100 to 599.
    public init(_ code: Int) {
        precondition((100...599).contains(code), "an HTTP status has three digits and starts with 1 to 5, not \(code)")
        self.code = code
    }

    public init(integerLiteral value: Int) {
        self.init(value)
    }

    public static let `continue`: HTTPStatus = 100
    public static let processing: HTTPStatus = 102
    public static let ok: HTTPStatus = 200
    public static let noContent: HTTPStatus = 204
    public static let notModified: HTTPStatus = 304
    public static let badRequest: HTTPStatus = 400
    public static let unauthorized: HTTPStatus = 401
    public static let notFound: HTTPStatus = 404
    public static let methodNotAllowed: HTTPStatus = 405
    public static let requestTimeout: HTTPStatus = 408
    public static let contentTooLarge: HTTPStatus = 413
    public static let uriTooLong: HTTPStatus = 414
    public static let unsupportedMediaType: HTTPStatus = 415
    public static let expectationFailed: HTTPStatus = 417
    public static let tooManyRequests: HTTPStatus = 429
    public static let requestHeaderFieldsTooLarge: HTTPStatus = 431
    public static let internalServerError: HTTPStatus = 500
    public static let notImplemented: HTTPStatus = 501
    public static let serviceUnavailable: HTTPStatus = 503
    public static let versionNotSupported: HTTPStatus = 505

    /// An interim answer (1xx): other answers to the same request follow it.
    public var isInterim: Bool { code < 200 }

    /// Whether an answer with this status can have a body (RFC 9110, 6.4.1).
    public var allowsBody: Bool { code >= 200 && code != 204 && code != 304 }

    /// The phrase for the status line. Empty for codes that no RFC named; the line is valid without (RFC 9112, 4).
    public var reasonPhrase: String {
        switch code {
        case 100: "Continue"
        case 102: "Processing"
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 206: "Partial Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 411: "Length Required"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 416: "Range Not Satisfiable"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 422: "Unprocessable Content"
        case 426: "Upgrade Required"
        case 428: "Precondition Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: ""
        }
    }
}
