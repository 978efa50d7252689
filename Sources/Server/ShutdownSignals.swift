import Dispatch
import Glibc

/// SIGTERM and SIGINT as calls: the first asks for a graceful end, the second ends the process at once.
///
/// Not Sendable; whoever wires the server keeps it.
public final class ShutdownSignals {
    private let sources: [any DispatchSourceSignal]

    /// - Parameter onFirst: called once, on `queue`.
    public init(queue: DispatchQueue, onFirst: @escaping @Sendable (_ name: String) -> Void) {
        let count = SignalCount()
        sources = [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")].map { number, name in
            // Dispatch sees a signal only when its default action does not end the process first.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { @Sendable in
                if count.next() == 1 {
                    onFirst(name)
                } else {
                    // As the shell reports a process that the signal ended.
                    exit(128 + number)
                }
            }
            source.resume()
            return source
        }
    }
}

/// How many signals came; confined to the signal queue.
private final class SignalCount: @unchecked Sendable {  // proof: used by event handlers of one serial queue only
    private var value = 0

    func next() -> Int {
        value += 1
        return value
    }
}
