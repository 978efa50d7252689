import CZlib

/// Takes gzip (RFC 1952) off a stream that comes in any pieces.
///
/// ```swift
/// let inflater = GzipInflater()
/// try inflater.inflate(piece.span, into: &body, limit: 1 << 20)     // for each piece
/// try inflater.finish()                                             // at the end of the input
/// ```
/// Attack (a bomb): a kilobyte that inflates to a megabyte, or a gigabyte. Nothing is inflated beyond `limit`, so both
/// memory and time are bounded by it.
///
/// Strict: checksum and length are verified, several members follow each other without anything between them (RFC 1952,
/// 2.2), and what comes behind the last one is an error, zeros too.
///
/// Not Sendable. Cost: about 40 KiB from the first byte on, `memory`.
public final class GzipInflater {
    /// What an inflater holds, in bytes: zlib's window and tables (zconf.h).
    public static let memory = 40 << 10
    private static let chunk = 16 << 10

    /// zlib remembers where its stream lies, so it must not move.
    private let stream: UnsafeMutablePointer<z_stream>
    /// Between members: none of the next one has come.
    private var isBetweenMembers = true
    private var hasMember = false

    public init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let result = inflateInit2_(stream, 16 + MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        // Z_MEM_ERROR, as when an array cannot be allocated; other results mean another version of zlib.
        precondition(result == Z_OK, "zlib cannot be started: \(result)")
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Appends what `input` inflates to.
    ///
    /// - Parameter limit: the greatest size of `output`.
    /// - Throws: `corrupt` or `tooLarge`. The inflater is of no use then.
    public func inflate(_ input: Span<UInt8>, into output: inout [UInt8], limit: Int) throws(GzipError) {
        let result = input.withUnsafeBufferPointer { input -> Result<Void, GzipError> in
            // zlib does not write to it; its type is older than const.
            stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            stream.pointee.avail_in = UInt32(input.count)
            defer {
                stream.pointee.next_in = nil
                stream.pointee.avail_in = 0
            }
            return Result { () throws(GzipError) in try run(&output, limit) }
        }
        try result.get()
    }

    private func run(_ output: inout [UInt8], _ limit: Int) throws(GzipError) {
        // The last call may have filled its chunk to the brim with more to come, so ask until there is room left.
        var hasMore = stream.pointee.avail_in > 0
        while hasMore {
            if isBetweenMembers {
                guard inflateReset(stream) == Z_OK else { throw .corrupt }
                isBetweenMembers = false
                hasMember = true
            }
            // One byte more than allowed tells that there is more.
            let room = min(Self.chunk, max(limit - output.count, 0) + 1)
            let (result, count) = step(&output, room)
            guard output.count <= limit else { throw .tooLarge(limit: limit) }
            switch result {
            case Z_OK: hasMore = stream.pointee.avail_in > 0 || count == room
            // No progress: all input is used and all output is out.
            case Z_BUF_ERROR: hasMore = false
            case Z_STREAM_END:
                isBetweenMembers = true
                hasMore = stream.pointee.avail_in > 0
            default: throw .corrupt
            }
        }
    }

    /// One call of zlib, with room for `room` bytes: its result, and how many bytes came out.
    private func step(_ output: inout [UInt8], _ room: Int) -> (result: Int32, count: Int) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: room) { buffer in
            stream.pointee.next_out = buffer.baseAddress
            stream.pointee.avail_out = UInt32(room)
            let result = CZlib.inflate(stream, Z_NO_FLUSH)
            let count = room - Int(stream.pointee.avail_out)
            output.append(contentsOf: buffer[..<count])
            return (result, count)
        }
    }

    /// The input is at its end.
    /// - Throws: `truncated` in the middle of a member, and for no input at all.
    public func finish() throws(GzipError) {
        guard isBetweenMembers, hasMember else { throw .truncated }
    }
}

/// What is wrong with a gzip stream.
public enum GzipError: Error, Sendable, Hashable, CustomStringConvertible {
    /// It is not gzip, its checksum or length is wrong, or something that is not gzip follows it.
    case corrupt
    case truncated
    /// It inflates to more than `limit` bytes.
    case tooLarge(limit: Int)

    public var description: String {
        switch self {
        case .corrupt: "not gzip (RFC 1952), damaged, or followed by something else"
        case .truncated: "it ends in the middle"
        case .tooLarge(let limit): "it inflates to more than \(limit) bytes"
        }
    }
}
