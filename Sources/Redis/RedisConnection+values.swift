// Large values, straight from the socket to where they stay. hiredis would copy each three times on the way, which for a
// session takes longer than Redis does.

import CHiredis
import Glibc

extension RedisConnection {
    /// The values of several keys as one run of bytes.
    ///
    /// - Parameter count: of all bytes together.
    /// - Returns: nil if a key is missing.
    /// - Throws: ``RedisError``; `unexpected` if the values have more or fewer bytes.
    func values(
        of keys: [String],
        count: Int,
        until deadline: ContinuousClock.Instant
    ) throws(RedisError) -> [UInt8]? {
        var outcome = Result<Bool, RedisError>.success(false)
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            outcome = Result { () throws(RedisError) in try read(keys, into: buffer, until: deadline) }
            filled = outcome == .success(true) ? count : 0
        }
        // Else answers may still be to come, which belong to nobody.
        if outcome != .success(true) { close() }
        return try outcome.get() ? bytes : nil
    }

    /// Fills the buffer. Returns false if a key is missing.
    private func read(
        _ keys: [String],
        into buffer: UnsafeMutableBufferPointer<UInt8>,
        until deadline: ContinuousClock.Instant
    ) throws(RedisError) -> Bool {
        let context = try connected(until: deadline)
        for key in keys { append(RedisCommand(["GET", key]), to: context) }
        while try !send(context) { _ = try wait(context, forWriting: true, until: deadline) }
        var filled = 0
        for _ in keys {
            // RESP 2, "Bulk strings": $SIZE, and a line's end before and behind the bytes; $-1 for none.
            let line = try readLine(context, until: deadline)
            if line.hasPrefix("-") { throw .refused(String(line.dropFirst())) }
            guard line.hasPrefix("$"), let size = Int(line.dropFirst()) else { throw .unexpected(line) }
            if size == -1 { return false }
            guard size >= 0, size <= buffer.count - filled else { throw .unexpected("a value of \(size) bytes") }
            let part = UnsafeMutableBufferPointer(rebasing: buffer[filled..<filled + size])
            try receive(context, UnsafeMutableRawBufferPointer(part), until: deadline)
            filled += size
            guard try readLine(context, until: deadline).isEmpty else { throw .unexpected("bytes behind a value") }
        }
        guard filled == buffer.count else { throw .unexpected("\(filled) bytes where \(buffer.count) were to be") }
        return true
    }

    /// A line without its end, byte by byte: they are few, and what follows is not to be read here.
    private func readLine(
        _ context: UnsafeMutablePointer<redisContext>,
        until deadline: ContinuousClock.Instant
    ) throws(RedisError) -> String {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while line.suffix(2) != [0x0D, 0x0A] {
            guard line.count < 1024 else { throw .unexpected("a line without an end") }
            try withUnsafeMutableBytes(of: &byte) { (byte) throws(RedisError) in
                try receive(context, byte, until: deadline)
            }
            line.append(byte)
        }
        return String(decoding: line.dropLast(2), as: UTF8.self)
    }

    /// Fills a buffer with what comes.
    private func receive(
        _ context: UnsafeMutablePointer<redisContext>,
        _ buffer: UnsafeMutableRawBufferPointer,
        until deadline: ContinuousClock.Instant
    ) throws(RedisError) {
        var rest = buffer[...]
        while !rest.isEmpty {
            let target = UnsafeMutableRawBufferPointer(rebasing: rest)
            let count = recv(context.pointee.fd, target.baseAddress, target.count, 0)
            switch count {
            case 1...: rest = rest.dropFirst(count)
            case 0: throw .unreachable("Redis closed the connection")
            default:
                guard errno == EAGAIN || errno == EINTR else { throw .unreachable(String(cString: strerror(errno))) }
                _ = try wait(context, forWriting: false, until: deadline)
            }
        }
    }
}
