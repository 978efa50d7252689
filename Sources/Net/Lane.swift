import Dispatch
import HTTP1
import Synchronization
import TLS

/// A serial queue and the connections that live on it. A connection stays on its lane from its first byte to its last,
/// and its state is touched nowhere else.
///
/// Why a few lanes and not a queue for every connection: one timer and one read buffer serve all connections of a lane
/// (an idle connection owns no buffer), the tokens of a step cost one wake-up a lane and not one a stream, and Dispatch
/// brings no thread for each busy connection. The price, that a slow handler holds up its neighbours, is why handlers
/// must not block.
///
/// `@unchecked Sendable`: all `var`s are touched on `queue` only; what other threads touch is in `mailbox`.
final class Lane: @unchecked Sendable {
    private struct Mailbox {
        var messages: [AnswerMessage] = []
        /// Whether the lane is running, or is about to, and will look into the mailbox before it rests.
        var isAwake = false
    }

    static let readBufferSize = 64 << 10

    let core: ServerCore
    let queue: DispatchQueue
    private let mailbox = Mutex(Mailbox())

    /// What reads fill; its bytes are used up or copied before the next read.
    let readBuffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: readBufferSize)
    /// What TLS makes of what was read, a record at a time.
    let plainBuffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: TLSSession.recordSize)
    /// The time of the event that is being handled, in nanoseconds of CLOCK_MONOTONIC.
    private(set) var now = monotonicNanoseconds()
    private var isDraining = false
    private var date = HTTPDate()
    private var connections: [ObjectIdentifier: Connection] = [:]
    private var unsettled: [Connection] = []
    /// Nil before `start` and after `stop`.
    private var timer: (any DispatchSourceTimer)?

    init(core: ServerCore, number: Int) {
        self.core = core
        queue = DispatchQueue(label: "catena.net.\(number)")
    }

    deinit {
        readBuffer.deallocate()
        plainBuffer.deallocate()
    }

    // MARK: From any thread

    /// Leaves a message and wakes the lane unless it is awake. Never waits for it.
    func post(_ message: AnswerMessage) {
        let mustWake = mailbox.withLock { mailbox in
            mailbox.messages.append(message)
            defer { mailbox.isAwake = true }
            return !mailbox.isAwake
        }
        if mustWake { queue.async { self.perform {} } }
    }

    /// Takes over an accepted descriptor.
    func adopt(_ accepted: AcceptedSocket) {
        queue.async {
            self.perform {
                let connection = Connection(lane: self, accepted)
                self.connections[ObjectIdentifier(connection)] = connection
                connection.open(accepted)
                if self.timer == nil { connection.drop() } else if self.isDraining { connection.drain() }
            }
        }
    }

    /// Starts to look at deadlines; goes on until `stop`.
    func start() {
        queue.async { self.startTimer() }
    }

    /// Closes what is idle now, and everything else after its answer.
    func drain() {
        queue.async {
            self.perform {
                self.isDraining = true
                for connection in self.connections.values { connection.drain() }
            }
        }
    }

    /// Closes everything, whatever it is doing, and stops the timer.
    func stop() {
        queue.async {
            self.perform {
                self.isDraining = true
                for connection in self.connections.values { connection.drop() }
                self.timer?.cancel()
                self.timer = nil
            }
        }
    }

    // MARK: On the queue

    /// Runs one event, then whatever followed from it. Every event handler of a lane goes through here.
    func perform(_ event: () -> Void) {
        dispatchPrecondition(condition: .onQueue(queue))
        mailbox.withLock { $0.isAwake = true }
        now = monotonicNanoseconds()
        event()
        repeat { settle() } while deliver()
    }

    /// Has `connection` write its output and go on with its input before the lane rests.
    func mustSettle(_ connection: Connection) {
        guard !connection.isUnsettled else { return }
        connection.isUnsettled = true
        unsettled.append(connection)
    }

    func forget(_ connection: Connection) {
        connections[ObjectIdentifier(connection)] = nil
    }

    /// The `Date` of an answer written now.
    func currentDate() -> HTTPDate {
        date.update(unixSeconds: unixSeconds())
        return date
    }

    private func settle() {
        while let connection = unsettled.popLast() {
            connection.isUnsettled = false
            connection.settle()
        }
    }

    /// Hands out the mailbox; false, and the lane is asleep, when it was empty.
    private func deliver() -> Bool {
        let messages = mailbox.withLock { mailbox -> [AnswerMessage] in
            guard !mailbox.messages.isEmpty else {
                mailbox.isAwake = false
                return []
            }
            defer { mailbox.messages = [] }
            return mailbox.messages
        }
        for message in messages {
            let connection = message.exchange.connection
            connection.unsentBytes.subtract(message.payload, ordering: .relaxed)
            connection.take(message.step, for: message.exchange)
        }
        return !messages.isEmpty
    }

    private func startTimer() {
        let configuration = core.configuration
        let shortest = [
            configuration.headerTimeout, configuration.bodyTimeout, configuration.keepAliveTimeout,
            configuration.writeTimeout, configuration.lingerTimeout,
        ].map(\.nanoseconds).min()
        // A quarter of the shortest timeout: how late a deadline may be noticed.
        let period = min(max((shortest ?? 0) / 4, 10_000_000), 500_000_000)
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .now(), repeating: .nanoseconds(Int(period)), leeway: .nanoseconds(Int(period / 4)))
        timer.setEventHandler { [weak self] in
            guard let self else { return }
            self.perform {
                for connection in self.connections.values { connection.sweep() }
            }
        }
        timer.activate()
        self.timer = timer
    }
}
