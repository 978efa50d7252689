import CHiredis

/// What Redis answers to a command.
public enum RedisReply: Sendable, Hashable {
    /// There is no such key, or a condition of the command was not met.
    case none
    case status(String)
    /// Starts with a word in capitals that names the error, as `OOM command not allowed ...`.
    case error(String)
    case integer(Int)
    case bytes([UInt8])
    case array([RedisReply])

    /// - Parameter reply: of hiredis, which stays the caller's to free.
    init(_ reply: UnsafePointer<redisReply>) {
        let value = reply.pointee
        let bytes = UnsafeRawBufferPointer(start: value.str, count: value.len)
        switch value.type {
        case REDIS_REPLY_STATUS: self = .status(String(decoding: bytes, as: UTF8.self))
        case REDIS_REPLY_ERROR: self = .error(String(decoding: bytes, as: UTF8.self))
        case REDIS_REPLY_INTEGER: self = .integer(Int(value.integer))
        case REDIS_REPLY_STRING: self = .bytes([UInt8](bytes))
        case REDIS_REPLY_ARRAY:
            let elements = UnsafeBufferPointer(start: value.element, count: value.elements)
            self = .array(elements.map { element in element.map { RedisReply($0) } ?? .none })
        default: self = .none
        }
    }

    public var bytes: [UInt8]? {
        if case .bytes(let bytes) = self { bytes } else { nil }
    }

    public var text: String? {
        switch self {
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case .status(let text): text
        default: nil
        }
    }

    public var integer: Int? {
        if case .integer(let number) = self { number } else { nil }
    }

    public var elements: [RedisReply]? {
        if case .array(let elements) = self { elements } else { nil }
    }
}
