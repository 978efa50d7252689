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
    /// Those of them that were refused and are being told so.
    let refusedConnections = Atomic<Int>(0)
    /// Connections by address, refused ones not among them.
    let addresses: AddressCounts
    let bodies: BodyBudget
    /// Where large answers are compressed: it takes milliseconds, and lanes must not wait.
    let compressing = DispatchQueue(label: "catena.net.gzip", qos: .utility, attributes: .concurrent)
    /// Of lines that tell of a failed TLS handshake.
    let handshakeLines = Mutex(LineAllowance(most: 10, per: .seconds(10)))
    /// Entered by every listener and every connection; empty when the server has come to rest.
    let activity = DispatchGroup()

    init(configuration: NetConfiguration, handler: any RequestHandler, log: Logger) {
        self.configuration = configuration
        addresses = AddressCounts(limit: configuration.maxConnectionsPerAddress)
        bodies = BodyBudget(limit: configuration.bodiesTotal)
        self.handler = handler
        self.log = log
    }
}
