import CShims
import Glibc
import LoadTesting

/// A connection to the server and the request that is on it, if any. Owned by one ``ExchangeLoop``.
final class ClientConnection {
    /// What a descriptor's readiness led to.
    enum Progress {
        case goesOn
        /// The request is over; the connection takes another one if `isReusable`.
        case ended(RequestOutcome, isReusable: Bool)
        /// A kept connection was closed before its answer began: the server's idle timeout crossed the request, which is
        /// to be sent once more, on a new connection.
        case wasStale
    }

    /// The request in progress.
    struct Exchange {
        /// Which of the workload's requests.
        var index: Int
        var request: [UInt8]
        var written = 0
        /// When it was sent, in the outcome's seconds.
        var start: Double
        var reader: CompletionReader
        var answer = AnswerParser()
        var head: AnswerHead?
    }

    /// Never used twice, as descriptors are.
    let token: UInt64
    let descriptor: Int32
    /// What the loop has told epoll.
    var isWatchedForWriting = false
    private(set) var exchange: Exchange?
    /// Whether an earlier request was answered on it.
    private(set) var isReused = false
    /// Whether it waits for room to write: the loop is to watch for that.
    private(set) var wantsToWrite = true

    /// Starts to connect; whether that succeeds is known when it becomes writable.
    /// - Returns: nil where the system refuses, with errno set.
    init?(to address: SocketAddress, token: UInt64) {
        let descriptor = catena_stream_socket(address.family)
        guard descriptor >= 0 else { return nil }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        let result = address.withPointer { connect(descriptor, $0, $1) }
        guard result == 0 || errno == EINPROGRESS else {
            let number = errno
            Glibc.close(descriptor)
            errno = number
            return nil
        }
        self.descriptor = descriptor
        self.token = token
    }

    func close() { Glibc.close(descriptor) }

    /// Puts a request on the connection. It is written when the loop calls ``advance``.
    func begin(_ exchange: Exchange) {
        self.exchange = exchange
        wantsToWrite = true
    }

    /// Writes and reads what can be without waiting.
    /// - Parameters:
    ///   - buffer: room to read into.
    ///   - now: the time in the outcome's seconds, called after each read.
    func advance(isReadable: Bool, buffer: UnsafeMutableRawBufferPointer, now: () -> Double) -> Progress {
        if wantsToWrite, let problem = write() { return fail(problem, at: now()) }
        guard isReadable else { return .goesOn }
        while true {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count < 0 {
                switch errno {
                // ENOTCONN: still connecting.
                case EAGAIN, ENOTCONN: return .goesOn
                case EINTR: continue
                case let number: return fail(Self.text(of: number), at: now())
                }
            }
            let time = now()
            if count == 0 { return end(at: time) }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            if let progress = take(bytes, at: time) { return progress }
            // Less than there was room for: nothing is left, and another call would only say so.
            if count < buffer.count { return .goesOn }
        }
    }

    /// Takes the exchange off, for a request that is given up.
    func abandon() -> Exchange? {
        defer { exchange = nil }
        return exchange
    }

    // MARK: Parts

    /// What went wrong, or nil.
    private func write() -> String? {
        guard exchange != nil else {
            wantsToWrite = false
            return nil
        }
        while exchange!.written < exchange!.request.count {
            let written = exchange!.written
            let count = exchange!.request.withUnsafeBytes {
                send(descriptor, $0.baseAddress! + written, $0.count - written, Int32(MSG_NOSIGNAL))
            }
            if count < 0 {
                switch errno {
                case EAGAIN, ENOTCONN, EINPROGRESS: return nil
                case EINTR: continue
                // An answer may have come before the server closed its side: reading tells.
                case EPIPE where exchange!.written > 0: break
                case let number: return Self.text(of: number)
                }
                break
            }
            exchange!.written += count
        }
        wantsToWrite = false
        return nil
    }

    /// Nil when more is to come.
    private func take(_ bytes: UnsafeRawBufferPointer, at time: Double) -> Progress? {
        // Bytes without a request: the server says why it closes. Nothing to learn from it.
        guard exchange != nil else { return nil }
        var offset = 0
        do throws(AnswerError) {
            while let event = try exchange!.answer.next(bytes, at: &offset) {
                switch event {
                case .head(let head):
                    exchange!.head = head
                    exchange!.reader.start(head)
                case .body(let range):
                    try exchange!.reader.take(UnsafeRawBufferPointer(rebasing: bytes[range]), at: time)
                case .end:
                    return finish(isReusable: offset == bytes.count, at: time)
                }
            }
            return nil
        } catch {
            return fail(error.problem, at: time)
        }
    }

    /// The server has closed its side.
    private func end(at time: Double) -> Progress {
        guard exchange != nil else { return .goesOn }
        do throws(AnswerError) {
            try exchange!.answer.endOfInput()
        } catch {
            return fail(error.problem, at: time)
        }
        return finish(isReusable: false, at: time)
    }

    private func finish(isReusable: Bool, at time: Double) -> Progress {
        guard var exchange = abandon() else { return .goesOn }
        exchange.reader.finish(at: time)
        isReused = true
        let wasSent = exchange.written == exchange.request.count
        return .ended(
            exchange.reader.outcome,
            isReusable: isReusable && wasSent && exchange.head?.keepsAlive ?? false
        )
    }

    private func fail(_ problem: String, at time: Double) -> Progress {
        if isReused && exchange?.answer.isUntouched ?? false { return .wasStale }
        guard var exchange = abandon() else { return .goesOn }
        exchange.reader.fail(problem, at: time)
        return .ended(exchange.reader.outcome, isReusable: false)
    }

    static func text(of number: Int32) -> String { String(cString: strerror(number)) }
}
