import Dispatch
import Glibc

/// SIGHUP as a call, any number of times; its default action would end the process.
///
/// Not Sendable; whoever wires the server keeps it.
public final class ReloadSignal {
    private let source: any DispatchSourceSignal

    /// - Parameter onSignal: called on `queue`.
    public init(queue: DispatchQueue, onSignal: @escaping @Sendable () -> Void) {
        signal(SIGHUP, SIG_IGN)
        source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: queue)
        source.setEventHandler { @Sendable in onSignal() }
        source.resume()
    }
}
