import CShims
import Dispatch
import Glibc
import HTTP1
import TLS

/// A listening socket and the queue that accepts from it.
///
/// `@unchecked Sendable`: all `var`s are touched on `queue` only.
final class Listener: @unchecked Sendable {
    /// How long accepting rests when descriptors or places have run out: a source that fires again at once would spin.
    private static let rest = DispatchTimeInterval.milliseconds(50)
    /// Connections beyond a cap that may be told so (503) at the same time. Beyond these, those that are too many in all
    /// wait in the kernel's backlog, and those of an address that has too many are closed at once: in the backlog they
    /// would keep others from being accepted.
    private static let refusedAtOnce = 64

    /// Where it listens, with the port that the kernel chose.
    let address: ListenAddress
    private let core: ServerCore
    private let lanes: [Lane]
    private let queue: DispatchQueue
    private let descriptor: Int32
    /// Nil: plain HTTP.
    private let credentials: TLSCredentials?
    private var source: (any DispatchSourceRead)?
    private var isResting = false
    /// The last accept failed for want of something; said once, not twenty times a second.
    private var isShort = false
    private var nextLane = 0

    init(_ socket: consuming ListeningSocket, credentials: TLSCredentials?, core: ServerCore, lanes: [Lane]) {
        self.credentials = credentials
        self.core = core
        self.lanes = lanes
        address = socket.address
        descriptor = socket.descriptor.release()
        queue = DispatchQueue(label: "catena.net.accept \(address)")
        core.activity.enter()
        queue.async { self.open() }
    }

    /// Stops accepting; clients in the kernel's backlog are reset. May be called more than once.
    func close() {
        queue.async {
            guard let source = self.source else { return }
            self.source = nil
            if self.isResting { source.resume() }
            source.cancel()
        }
    }

    private func open() {
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        source.setEventHandler { self.accept() }
        source.setCancelHandler {
            Glibc.close(self.descriptor)
            if case .unix(let path) = self.address { unlink(path) }
            self.core.activity.leave()
        }
        self.source = source
        source.activate()
    }

    private func accept() {
        let limit = core.configuration.maxConnections
        while source != nil {
            guard core.openConnections.load(ordering: .relaxed) < limit + Self.refusedAtOnce else { return takeRest() }
            var address = SocketAddress()
            let accepted = address.withMutablePointer { catena_accept(descriptor, $0, $1) }
            if accepted >= 0 {
                isShort = false
                take(accepted, peer: address.peer)
                continue
            }
            switch errno {
            case EAGAIN: return
            // The client is gone already, or the network says something about one client. Linux, accept(2).
            case EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH:
                continue
            case let number:
                // EMFILE, ENFILE, ENOBUFS, ENOMEM: the connection stays in the backlog and would fire for ever.
                if !isShort {
                    let reason = String(cString: strerror(number))
                    core.log.error("cannot accept on \(self.address): \(reason); trying again until it can")
                }
                isShort = true
                return takeRest()
            }
        }
    }

    /// Counts an accepted connection and gives it to a lane, to be served or refused.
    private func take(_ descriptor: Int32, peer: PeerAddress) {
        core.activity.enter()
        let open = core.openConnections.add(1, ordering: .relaxed).newValue
        var refusal: String?
        if open > core.configuration.maxConnections {
            refusal = "too many connections; try again"
        } else if !core.addresses.enter(peer) {
            refusal = "too many connections from this address; close some, or try again"
        }
        let accepted = AcceptedSocket(
            descriptor: descriptor,
            peer: peer,
            tls: credentials?.current,
            refusal: refusal
        )
        if refusal != nil {
            let refused = core.refusedConnections.add(1, ordering: .relaxed).newValue
            // With TLS it would take a handshake to say so, which is what an attacker is after.
            guard credentials == nil, refused <= Self.refusedAtOnce else {
                Glibc.close(descriptor)
                return accepted.leave(core)
            }
        }
        nextLane = (nextLane + 1) % lanes.count
        lanes[nextLane].adopt(accepted)
    }

    private func takeRest() {
        guard let source, !isResting else { return }
        isResting = true
        source.suspend()
        queue.asyncAfter(deadline: .now() + Self.rest) {
            guard let source = self.source, self.isResting else { return }
            self.isResting = false
            source.resume()
        }
    }
}
