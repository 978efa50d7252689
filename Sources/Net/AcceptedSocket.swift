import HTTP1
import TLS

/// A connection on its way from its listener to its lane.
struct AcceptedSocket: Sendable {
    let descriptor: Int32
    let peer: PeerAddress
    /// What to show to a client of TLS; nil for plain HTTP.
    let tls: TLSContext?
    /// Why it is not served, for the client's eyes; nil for one that is.
    let refusal: String?

    /// Takes it out of all counts, once its descriptor is closed.
    func leave(_ core: ServerCore) {
        if refusal == nil {
            core.addresses.leave(peer)
        } else {
            core.refusedConnections.subtract(1, ordering: .relaxed)
        }
        core.openConnections.subtract(1, ordering: .relaxed)
        core.activity.leave()
    }
}
