import HTTP1

/// All that a parser said about some input, with adjacent body ranges joined: what must not depend on how input is cut.
public struct Transcript: Equatable, CustomStringConvertible {
    public enum Entry: Equatable {
        case head(RequestHead)
        case body([UInt8])
        case end(trailers: HTTPHeaders)
        case error(RequestError)
    }

    public var entries: [Entry] = []
    /// What is known at the end of a head that is not complete, or not right.
    public private(set) var unfinished: RequestHead?

    public var heads: [RequestHead] {
        entries.compactMap { if case .head(let head) = $0 { head } else { nil } }
    }

    public var bodies: [String] {
        entries.compactMap { if case .body(let bytes) = $0 { String(decoding: bytes, as: UTF8.self) } else { nil } }
    }

    public var error: RequestError? {
        if case .error(let error) = entries.last { error } else { nil }
    }

    /// Requests that came to their end.
    public var completed: Int {
        entries.count { if case .end = $0 { true } else { false } }
    }

    public var description: String {
        entries.map { entry in
            switch entry {
            case .head(let head): "head \(head.method.name) \(head.path)"
            case .body(let bytes): "body of \(bytes.count)"
            case .end: "end"
            case .error(let error): "error \(error)"
            }
        }
        .joined(separator: ", ")
    }

    /// Feeds `input` in the given pieces, one after the other, each by itself in memory.
    public init(pieces: [ArraySlice<UInt8>], limits: RequestLimits = RequestLimits()) {
        var parser = RequestParser(limits: limits)
        defer { unfinished = parser.unfinishedHead }
        for piece in pieces {
            let bytes = Array(piece)
            var offset = 0
            do {
                while let event = try parser.next(in: bytes.span, at: &offset) {
                    switch event {
                    case .head(let head): entries.append(.head(head))
                    case .body(let range): append(bytes[range])
                    case .end(let trailers): entries.append(.end(trailers: trailers))
                    }
                }
                precondition(offset == bytes.count, "input was left over without an event")
            } catch {
                entries.append(.error(error))
                return
            }
        }
    }

    public init(_ text: String, limits: RequestLimits = RequestLimits()) {
        self.init(pieces: [Array(text.utf8)[...]], limits: limits)
    }

    public init(_ bytes: [UInt8], limits: RequestLimits = RequestLimits()) {
        self.init(pieces: [bytes[...]], limits: limits)
    }

    private mutating func append(_ bytes: ArraySlice<UInt8>) {
        if case .body(let before) = entries.last {
            entries[entries.count - 1] = .body(before + bytes)
        } else {
            entries.append(.body(Array(bytes)))
        }
    }
}
