import CHiredis
import Glibc

/// One connection to Redis, made when it is first needed and again after it broke. Every wait ends at the caller's deadline,
/// but for the look-up of a host's name, which the system alone can end.
///
/// After an error, or an answer that is one, the connection is closed: what else might arrive on it belongs to nobody.
///
/// `@unchecked Sendable`: it goes from hand to hand, and whoever has taken it out of ``RedisJobs`` has it alone.
final class RedisConnection: @unchecked Sendable {
    private let endpoint: RedisEndpoint
    private let connectTimeout: Duration
    private var context: UnsafeMutablePointer<redisContext>?
    /// Whoever has it may not wait for the look-up of a name, so a connection that breaks stays broken.
    var isBorrowed = false

    init(_ endpoint: RedisEndpoint, connectTimeout: Duration) {
        self.endpoint = endpoint
        self.connectTimeout = connectTimeout
    }

    deinit { close() }

    /// Sends commands together and waits for the answers, one for each.
    ///
    /// - Throws: ``RedisError``; `refused` if any answer is an error, the first one's text.
    func exchange(
        _ commands: [RedisCommand],
        until deadline: ContinuousClock.Instant
    ) throws(RedisError) -> [RedisReply] {
        do throws(RedisError) {
            let context = try connected(until: deadline)
            let replies = try talk(commands, on: context, until: deadline)
            for case .error(let text) in replies { throw .refused(text) }
            return replies
        } catch {
            close()
            throw error
        }
    }

    func close() {
        if let context { redisFree(context) }
        context = nil
    }

    func connected(until deadline: ContinuousClock.Instant) throws(RedisError) -> UnsafeMutablePointer<
        redisContext
    > {
        if let context, isAlive(context) { return context }
        close()
        guard !isBorrowed else { throw .unreachable("the connection broke") }
        let greeting = try endpoint.greeting()
        let made =
            switch endpoint.place {
            case .tcp(let host, let port): redisConnectNonBlock(host, Int32(port))
            case .unix(let path): redisConnectUnixNonBlock(path)
            }
        guard let new = made else { throw .unreachable("no memory") }
        context = new
        guard new.pointee.err == 0 else { throw .unreachable(problem(new)) }
        let deadline = min(deadline, .now + connectTimeout)
        for reply in try talk(greeting, on: new, until: deadline) {
            if case .error(let text) = reply { throw .denied(text) }
        }
        return new
    }

    /// Whether there is a connection that nothing is known against.
    var isOpen: Bool { context != nil }

    /// Whether Redis has not closed an idle connection: a new one is cheaper than a failed command.
    private func isAlive(_ context: UnsafeMutablePointer<redisContext>) -> Bool {
        var byte: UInt8 = 0
        let count = recv(context.pointee.fd, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)
    }

    private func talk(
        _ commands: [RedisCommand],
        on context: UnsafeMutablePointer<redisContext>,
        until deadline: ContinuousClock.Instant
    ) throws(RedisError) -> [RedisReply] {
        for command in commands { append(command, to: context) }
        var replies: [RedisReply] = []
        replies.reserveCapacity(commands.count)
        // There is room for them nearly always, and to ask for it takes as long as to write them.
        var isSent = try send(context)
        while true {
            while replies.count < commands.count, let reply = try nextReply(context) { replies.append(reply) }
            if replies.count == commands.count { return replies }
            let events = try wait(context, forWriting: !isSent, until: deadline)
            if events & Int32(POLLOUT) != 0 { isSent = try send(context) }
            if events & ~Int32(POLLOUT) != 0 {
                guard redisBufferRead(context) == REDIS_OK else { throw .unreachable(problem(context)) }
            }
        }
    }

    /// Sends what fits of the commands that were appended. Returns whether that was all.
    func send(_ context: UnsafeMutablePointer<redisContext>) throws(RedisError) -> Bool {
        var done: Int32 = 0
        guard redisBufferWrite(context, &done) == REDIS_OK else { throw .unreachable(problem(context)) }
        return done != 0
    }

    func append(_ command: RedisCommand, to context: UnsafeMutablePointer<redisContext>) {
        let lengths = command.arguments.map(\.count)
        // All arguments in one buffer, so that their addresses hold together.
        var bytes: [UInt8] = []
        bytes.reserveCapacity(lengths.reduce(0, +))
        for argument in command.arguments { bytes += argument }
        bytes.withUnsafeBytes { bytes in
            let characters = bytes.assumingMemoryBound(to: CChar.self)
            var start = 0
            var pointers = lengths.map { length in
                defer { start += length }
                return characters.baseAddress.map { $0 + start }
            }
            _ = redisAppendCommandArgv(context, Int32(lengths.count), &pointers, lengths)
        }
    }

    private func nextReply(_ context: UnsafeMutablePointer<redisContext>) throws(RedisError) -> RedisReply? {
        var raw: UnsafeMutableRawPointer?
        guard redisGetReplyFromReader(context, &raw) == REDIS_OK else { throw .unexpected(problem(context)) }
        guard let raw else { return nil }
        defer { freeReplyObject(raw) }
        return RedisReply(raw.assumingMemoryBound(to: redisReply.self))
    }

    /// The events of the socket, at least one.
    func wait(
        _ context: UnsafeMutablePointer<redisContext>,
        forWriting: Bool,
        until deadline: ContinuousClock.Instant
    ) throws(RedisError) -> Int32 {
        var item = pollfd(fd: context.pointee.fd, events: Int16(POLLIN), revents: 0)
        if forWriting { item.events |= Int16(POLLOUT) }
        while true {
            let left = (deadline - .now) / .milliseconds(1)
            guard left > 0 else { throw .timedOut }
            let count = poll(&item, 1, Int32(min(left.rounded(.up), 60_000)))
            if count > 0 { return Int32(item.revents) }
            guard count == 0 || errno == EINTR else { throw .unreachable(String(cString: strerror(errno))) }
        }
    }

    func problem(_ context: UnsafeMutablePointer<redisContext>) -> String {
        withUnsafePointer(to: &context.pointee.errstr) { text in
            text.withMemoryRebound(to: CChar.self, capacity: 128) { String(cString: $0) }
        }
    }
}
