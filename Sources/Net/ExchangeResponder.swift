import HTTP1
import Synchronization

/// The handler's side of an exchange: turns calls from any thread into messages to the connection's lane.
///
/// It is an object of its own, which nothing in this module holds on to, so that its end tells of a forgotten answer.
final class ExchangeResponder: Responder {
    /// `awaited` -> `streaming` -> `complete`, or straight to `complete`.
    private enum Phase: UInt8, AtomicRepresentable {
        case awaited, streaming, complete
    }

    private let exchange: Exchange
    private let phase = Atomic(Phase.awaited)

    init(_ exchange: Exchange) {
        self.exchange = exchange
    }

    deinit {
        if phase.load(ordering: .acquiring) != .complete { post(.abandoned) }
    }

    func respond(_ response: Response) {
        guard advance(from: .awaited, to: .complete) else { return }
        exchange.complete()
        let core = exchange.connection.lane.core
        guard let policy = core.configuration.compression, policy.applies(to: response) else {
            return Self.post(response, for: exchange)
        }
        if !exchange.acceptsGzip || response.body.count < CompressionPolicy.sizeForLanes {
            Self.post(policy.form(of: response, isGzipAccepted: exchange.acceptsGzip), for: exchange)
        } else {
            core.compressing.async { [exchange] in
                Self.post(policy.form(of: response, isGzipAccepted: true), for: exchange)
            }
        }
    }

    private static func post(_ response: Response, for exchange: Exchange) {
        post(.respond(response), payload: response.body.count, for: exchange)
    }

    func start(_ head: ResponseHead) {
        guard advance(from: .awaited, to: .streaming) else { return }
        post(.start(head))
    }

    func write(_ bytes: [UInt8]) {
        guard !bytes.isEmpty, phase.load(ordering: .acquiring) == .streaming else { return }
        post(.write(bytes), payload: bytes.count)
    }

    func finish() {
        guard advance(from: .streaming, to: .complete) else { return }
        exchange.complete()
        post(.finish)
    }

    func onCancel(_ body: @escaping @Sendable () -> Void) { exchange.onCancel(body) }

    var isCancelled: Bool { exchange.isCancelled }

    var unsentBytes: Int { exchange.connection.unsentBytes.load(ordering: .relaxed) }

    private func advance(from old: Phase, to new: Phase) -> Bool {
        phase.compareExchange(expected: old, desired: new, ordering: .acquiringAndReleasing).exchanged
    }

    private func post(_ step: AnswerStep, payload: Int = 0) {
        Self.post(step, payload: payload, for: exchange)
    }

    private static func post(_ step: AnswerStep, payload: Int, for exchange: Exchange) {
        if payload > 0 { exchange.connection.unsentBytes.add(payload, ordering: .relaxed) }
        exchange.connection.lane.post(AnswerMessage(exchange: exchange, step: step, payload: payload))
    }
}

/// What a responder was told, on its way to the lane.
struct AnswerMessage: Sendable {
    let exchange: Exchange
    let step: AnswerStep
    /// Body bytes in it, which `Connection.unsentBytes` counts until they are encoded.
    let payload: Int
}

enum AnswerStep: Sendable {
    case respond(Response)
    case start(ResponseHead)
    case write([UInt8])
    case finish
    /// The responder is gone and the answer is not complete.
    case abandoned
}
