// Large values, straight between the socket and where they stay. hiredis would copy each three times on the way, which for a
// session takes longer than Redis does.

import CHiredis
import Glibc
import Tensor

extension RedisConnection {
    // MARK: Reading

    /// The values of several keys as one run of bytes.
    ///
    /// - Parameters:
    ///   - count: of all bytes together.
    ///   - watcher: hears of them as they come.
    /// - Returns: nil if a key is missing.
    /// - Throws: ``RedisError``; `unexpected` if the values have more or fewer bytes.
    func values(
        of keys: [String],
        count: Int,
        watcher: SharedBytes.Watcher? = nil,
        until deadline: ContinuousClock.Instant
    ) throws(RedisError) -> SharedBytes? {
        var isWhole = false
        // Else answers may still be to come, which belong to nobody.
        defer { if !isWhole { close() } }
        let bytes = try SharedBytes(count: count, watchedBy: watcher) { (buffer, note) throws(RedisError) in
            isWhole = try read(keys, into: buffer, note, until: deadline)
        }
        return isWhole ? bytes : nil
    }

    /// Fills the buffer. Returns false if a key is missing.
    private func read(
        _ keys: [String],
        into buffer: UnsafeMutableRawBufferPointer,
        _ note: (Int) -> Void,
        until deadline: ContinuousClock.Instant
    ) throws(RedisError) -> Bool {
        let context = try connected(until: deadline)
        let ahead = Self.valuesAhead(of: buffer.count / max(keys.count, 1))
        var asked = 0
        func ask(for next: Int) throws(RedisError) {
            guard asked < min(next, keys.count) else { return }
            while asked < min(next, keys.count) {
                append(RedisCommand(["GET", keys[asked]]), to: context)
                asked += 1
            }
            while try !send(context) { _ = try wait(context, forWriting: true, until: deadline) }
        }
        var filled = 0
        // The first one by itself, so that Redis sends it before it makes the next.
        try ask(for: 1)
        for place in keys.indices {
            try ask(for: place + ahead)
            // RESP 2, "Bulk strings": $SIZE, and a line's end before and behind the bytes; $-1 for none.
            let line = try readLine(context, until: deadline)
            if line.hasPrefix("-") { throw .refused(String(line.dropFirst())) }
            guard line.hasPrefix("$"), let size = Int(line.dropFirst()) else { throw .unexpected(line) }
            if size == -1 { return false }
            guard size >= 0, size <= buffer.count - filled else { throw .unexpected("a value of \(size) bytes") }
            let end = filled + size
            while filled < end {
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<end])
                filled += try receive(context, part, until: deadline)
                note(filled)
            }
            guard try readLine(context, until: deadline).isEmpty else { throw .unexpected("bytes behind a value") }
        }
        guard filled == buffer.count else { throw .unexpected("\(filled) bytes where \(buffer.count) were to be") }
        return true
    }

    /// How many values of such a size are asked for before the first of them is there. Two at least, so that Redis makes the
    /// next answer while this one is read; and about a megabyte, for a network that takes its time. Asked for all at once,
    /// Redis would copy all of them before it sends the first, which for 3.7 MB takes half as long again.
    private static func valuesAhead(of size: Int) -> Int {
        max(2, (1 << 20) / max(size, 1))
    }

    /// A line without its end, and not a byte of what follows, which belongs elsewhere.
    private func readLine(
        _ context: UnsafeMutablePointer<redisContext>,
        until deadline: ContinuousClock.Instant
    ) throws(RedisError) -> String {
        var line: [UInt8] = []
        var ahead = SIMD64<UInt8>()
        while line.suffix(2) != [0x0D, 0x0A] {
            guard line.count < 1024 else { throw .unexpected("a line without an end") }
            try withUnsafeMutableBytes(of: &ahead) { (ahead) throws(RedisError) in
                let seen = try receive(context, ahead, flags: MSG_PEEK, until: deadline)
                let end = ahead[..<seen].firstIndex(of: 0x0A).map { $0 + 1 } ?? seen
                let part = UnsafeMutableRawBufferPointer(rebasing: ahead[..<end])
                let count = try receive(context, part, until: deadline)
                line += part[..<count]
            }
        }
        return String(decoding: line.dropLast(2), as: UTF8.self)
    }

    /// Waits for bytes. Returns how many came, one at least.
    private func receive(
        _ context: UnsafeMutablePointer<redisContext>,
        _ buffer: UnsafeMutableRawBufferPointer,
        flags: Int = 0,
        until deadline: ContinuousClock.Instant
    ) throws(RedisError) -> Int {
        while true {
            let count = recv(context.pointee.fd, buffer.baseAddress, buffer.count, Int32(flags))
            switch count {
            case 1...: return count
            case 0: throw .unreachable("Redis closed the connection")
            default:
                guard errno == EAGAIN || errno == EINTR else { throw .unreachable(String(cString: strerror(errno))) }
                _ = try wait(context, forWriting: false, until: deadline)
            }
        }
    }

    // MARK: Writing

    /// Sets a key's value, for so many milliseconds.
    func set(
        _ key: String,
        to value: SharedBytes,
        milliseconds: Int,
        until deadline: ContinuousClock.Instant
    ) throws(RedisError) {
        var isDone = false
        defer { if !isDone { close() } }
        let context = try connected(until: deadline)
        let life = String(milliseconds)
        let head = "*5\r\n$3\r\nSET\r\n$\(key.utf8.count)\r\n\(key)\r\n$\(value.count)\r\n"
        try sendAll(SharedBytes(head.utf8), context, until: deadline)
        try sendAll(value, context, until: deadline)
        let tail = "\r\n$2\r\nPX\r\n$\(life.utf8.count)\r\n\(life)\r\n"
        try sendAll(SharedBytes(tail.utf8), context, until: deadline)
        let line = try readLine(context, until: deadline)
        if line.hasPrefix("-") { throw .refused(String(line.dropFirst())) }
        guard line == "+OK" else { throw .unexpected(line) }
        isDone = true
    }

    private func sendAll(
        _ bytes: SharedBytes,
        _ context: UnsafeMutablePointer<redisContext>,
        until deadline: ContinuousClock.Instant
    ) throws(RedisError) {
        try bytes.withUnsafeBytes { (bytes) throws(RedisError) in
            var rest = bytes[...]
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest)
                let count = Glibc.send(context.pointee.fd, part.baseAddress, part.count, Int32(MSG_NOSIGNAL))
                if count >= 0 {
                    rest = rest.dropFirst(count)
                } else {
                    guard errno == EAGAIN || errno == EINTR else {
                        throw .unreachable(String(cString: strerror(errno)))
                    }
                    _ = try wait(context, forWriting: true, until: deadline)
                }
            }
        }
    }
}
