import CShims
import Glibc
import LoadTesting

/// Carries any number of requests at once on one thread: epoll over non-blocking sockets, connections kept for the next
/// request. The caller decides when requests start (``start(_:_:)``) and lets the loop turn in between (``turn(for:)``).
///
/// Not Sendable: one thread owns it. One thread, since it shares the machine with the server it measures: it reads, parses
/// and notes times, some 10 µs of work for a token.
final class ExchangeLoop {
    /// Seconds since the start of the load, on the monotonic clock.
    private let origin: ContinuousClock.Instant
    private let target: Target
    private let template: CompletionTemplate
    /// Seconds after which a request without a complete answer has failed.
    private let timeout: Double
    private let epoll: Int32
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    private var ready = [catena_ready](repeating: catena_ready(), count: 64)
    /// By token.
    private var connections: [UInt64: ClientConnection] = [:]
    private var nextToken: UInt64 = 0
    /// Tokens of connections without a request; the last used one is taken first, so that what is superfluous ages.
    private var idle: [UInt64] = []
    private var lastSweep = 0.0

    /// Requests that are being answered.
    private(set) var inFlight = 0
    /// Called with each request that is over.
    var onEnd: (_ index: Int, RequestOutcome) -> Void = { _, _ in }

    init(
        target: Target,
        template: CompletionTemplate,
        timeout: Double,
        origin: ContinuousClock.Instant = .now
    ) throws(ClientError) {
        self.target = target
        self.template = template
        self.timeout = timeout
        self.origin = origin
        epoll = catena_epoll_create()
        guard epoll >= 0 else {
            buffer.deallocate()
            throw ClientError("cannot watch sockets: \(ClientConnection.text(of: errno))")
        }
    }

    deinit {
        for connection in connections.values { connection.close() }
        if epoll >= 0 { close(epoll) }
        buffer.deallocate()
    }

    var now: Double { (ContinuousClock.now - origin) / .seconds(1) }

    // MARK: Requests

    /// Sends a request, on an idle connection or a new one.
    func start(_ index: Int, _ outcome: RequestOutcome) {
        var outcome = outcome
        let time = now
        outcome.sent = time
        let exchange = ClientConnection.Exchange(
            index: index,
            request: template.request(index, outcome, to: target),
            start: time,
            reader: CompletionReader(outcome)
        )
        inFlight += 1
        if let token = idle.popLast(), let connection = connections[token] {
            begin(exchange, on: connection)
        } else {
            connect(exchange)
        }
    }

    private func connect(_ exchange: ClientConnection.Exchange) {
        nextToken += 1
        guard let connection = ClientConnection(to: target.address, token: nextToken) else {
            var reader = exchange.reader
            reader.fail("cannot connect: \(ClientConnection.text(of: errno))", at: now)
            return end(exchange.index, reader.outcome)
        }
        connections[connection.token] = connection
        connection.isWatchedForWriting = true
        _ = catena_epoll_watch(epoll, connection.descriptor, connection.token, 1, 1)
        begin(exchange, on: connection)
    }

    private func begin(_ exchange: ClientConnection.Exchange, on connection: ClientConnection) {
        connection.begin(exchange)
        advance(connection, isReadable: false)
    }

    private func end(_ index: Int, _ outcome: RequestOutcome) {
        inFlight -= 1
        onEnd(index, outcome)
    }

    /// Gives up all requests that are being answered; they are reported as unfinished.
    func abandonAll() {
        let time = now
        for connection in Array(connections.values) {
            guard var exchange = connection.abandon() else { continue }
            drop(connection)
            exchange.reader.abandon(at: time)
            end(exchange.index, exchange.reader.outcome)
        }
    }

    // MARK: Turning

    /// Waits for at most `seconds` until something is ready, and deals with what is.
    func turn(for seconds: Double) {
        let wait = min(max(seconds, 0), 0.1)
        let count = ready.withUnsafeMutableBufferPointer {
            catena_epoll_wait(epoll, $0.baseAddress, Int64(wait * 1e9))
        }
        for position in 0..<max(Int(count), 0) {
            let event = ready[position]
            // Gone while an earlier event of the same turn was dealt with.
            guard let connection = connections[event.token] else { continue }
            if connection.exchange == nil {
                if event.readable != 0 { drop(connection) }
            } else {
                advance(connection, isReadable: event.readable != 0)
            }
        }
        let time = now
        if time - lastSweep >= 0.1 {
            lastSweep = time
            failLate(at: time)
        }
    }

    private func advance(_ connection: ClientConnection, isReadable: Bool) {
        guard let index = connection.exchange?.index else { return }
        switch connection.advance(isReadable: isReadable, buffer: buffer, now: { now }) {
        case .goesOn:
            updateWatch(connection)
        case .ended(let outcome, let isReusable):
            if isReusable {
                updateWatch(connection)
                idle.append(connection.token)
            } else {
                drop(connection)
            }
            end(index, outcome)
        case .wasStale:
            guard var exchange = connection.abandon() else { return }
            drop(connection)
            exchange.written = 0
            connect(exchange)
        }
    }

    private func failLate(at time: Double) {
        let seconds = timeout == timeout.rounded() ? "\(Int(timeout))" : "\(timeout)"
        for connection in Array(connections.values) {
            guard let start = connection.exchange?.start, time - start > timeout, var exchange = connection.abandon()
            else { continue }
            drop(connection)
            exchange.reader.fail("no complete answer within \(seconds) s", at: time)
            end(exchange.index, exchange.reader.outcome)
        }
    }

    private func updateWatch(_ connection: ClientConnection) {
        guard connection.wantsToWrite != connection.isWatchedForWriting else { return }
        connection.isWatchedForWriting = connection.wantsToWrite
        _ = catena_epoll_watch(epoll, connection.descriptor, connection.token, 0, connection.wantsToWrite ? 1 : 0)
    }

    private func drop(_ connection: ClientConnection) {
        connections[connection.token] = nil
        idle.removeAll { $0 == connection.token }
        connection.close()
    }
}
