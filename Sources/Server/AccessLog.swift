import API
import Dispatch
import Glibc
import Metrics
import Synchronization

/// The access log: JSON, one line a request, to standard output, standard error or a file.
///
/// Whoever records a line only copies it to a buffer; a queue of its own writes. When that falls behind by more than the
/// buffer holds (a full disk, a pipe that nobody reads) lines are left out and counted: requests wait for no log.
final class AccessLog: AccessLogSink {
    enum Target: Sendable, Hashable {
        case standardOutput, standardError
        /// Appended to; made with mode 0640 where it is not.
        case file(String)
    }

    private struct State {
        var buffer: [UInt8] = []
        var isWriting = false
        /// Whether the latest write failed. A full disk is told once, and not with every request.
        var isFailing = false
    }

    private let target: Target
    private let limit: Int
    private let dropped: Counter
    private let report: @Sendable (String) -> Void
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "catena.access-log", qos: .utility)
    /// Of the file; changed on `queue` only.
    private let descriptor: Mutex<Int32>

    /// - Parameters:
    ///   - limit: the most bytes that wait to be written.
    ///   - dropped: counts lines that were left out.
    ///   - report: hears what went wrong, as a sentence for the log.
    /// - Throws: when the file cannot be opened.
    init(
        _ target: Target,
        limit: Int,
        dropped: Counter,
        report: @escaping @Sendable (String) -> Void
    ) throws(StartError) {
        self.target = target
        self.limit = limit
        self.dropped = dropped
        self.report = report
        descriptor = Mutex(try Self.open(target))
    }

    func record(_ entry: AccessEntry) {
        write(entry.json + [UInt8(ascii: "\n")])
    }

    /// Adds a line to the buffer.
    func write(_ line: [UInt8]) {
        let (isTaken, begins) = state.withLock { state in
            guard state.buffer.count + line.count <= limit else { return (false, false) }
            state.buffer += line
            defer { state.isWriting = true }
            return (true, !state.isWriting)
        }
        if !isTaken { dropped.add() }
        if begins { queue.async { self.drain() } }
    }

    /// Opens the file again, which another program may have moved away; what was recorded before goes to the old one.
    func reopen() {
        queue.async {
            do throws(StartError) {
                let renewed = try Self.open(self.target)
                let old = self.descriptor.withLock { descriptor in
                    defer { descriptor = renewed }
                    return descriptor
                }
                if case .file = self.target { close(old) }
            } catch {
                self.report("the access log goes on where it was: \(error)")
            }
        }
    }

    /// Waits until everything is written, but not for ever: nobody may be reading.
    func flush(within limit: Duration = .seconds(1)) {
        let written = DispatchSemaphore(value: 0)
        queue.async { written.signal() }
        _ = written.wait(timeout: .now() + limit / .seconds(1))
    }

    private func lose(_ bytes: ArraySlice<UInt8>, _ problem: String) {
        let lines = bytes.count { $0 == UInt8(ascii: "\n") }
        dropped.add(lines)
        let wasFailing = state.withLock { state in
            defer { state.isFailing = true }
            return state.isFailing
        }
        if !wasFailing { report("lines of the access log are lost: \(problem)") }
    }

    /// On `queue`.
    private func drain() {
        while true {
            let bytes: [UInt8] = state.withLock { state in
                state.isWriting = !state.buffer.isEmpty
                defer { state.buffer = [] }
                return state.buffer
            }
            guard !bytes.isEmpty else { return }
            let number = descriptor.withLock { $0 }
            var start = 0
            while start < bytes.count {
                let count = bytes.withUnsafeBytes { Glibc.write(number, $0.baseAddress! + start, bytes.count - start) }
                if count > 0 {
                    start += count
                    state.withLock { $0.isFailing = false }
                } else if errno == EAGAIN {
                    // Somebody who has the same pipe made it so.
                    var wait = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
                    _ = poll(&wait, 1, -1)
                } else if errno != EINTR {
                    lose(bytes[start...], String(cString: strerror(errno)))
                    break
                }
            }
        }
    }

    private static func open(_ target: Target) throws(StartError) -> Int32 {
        switch target {
        case .standardOutput: return STDOUT_FILENO
        case .standardError: return STDERR_FILENO
        case .file(let path):
            let number = Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
            guard number >= 0 else { throw .accessLog(path: path, problem: String(cString: strerror(errno))) }
            return number
        }
    }
}
