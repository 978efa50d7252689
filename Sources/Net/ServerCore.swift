import Dispatch
import HTTP1
import Logging
import Synchronization

/// What all lanes and listeners of a server share. Immutable, or safe to touch from any thread.
final class ServerCore: Sendable {
    let configuration: NetConfiguration
    let handler: any RequestHandler
    let log: Logger
    /// Connections that hold a descriptor, refused ones that still linger included.
    let openConnections = Atomic<Int>(0)
    /// Entered by every listener and every connection; empty when the server has come to rest.
    let activity = DispatchGroup()

    init(configuration: NetConfiguration, handler: any RequestHandler, log: Logger) {
        self.configuration = configuration
        self.handler = handler
        self.log = log
    }
}
