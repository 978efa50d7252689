import Core
import Dispatch

/// The events of one step on their way out: collected on the engine thread, delivered on a queue of their own with
/// one wake-up per step, so that detokenising, JSON and sockets never hold up the next step.
struct Outbox {
    private let queue: DispatchQueue
    private var order: [ObjectIdentifier] = []
    private var pending: [ObjectIdentifier: (receiver: any GenerationReceiver, events: [GenerationEvent])] = [:]

    init(queue: DispatchQueue) {
        self.queue = queue
    }

    mutating func add(_ event: GenerationEvent, for receiver: any GenerationReceiver) {
        let key = ObjectIdentifier(receiver)
        if pending[key] == nil { order.append(key) }
        pending[key, default: (receiver, [])].events.append(event)
    }

    /// Answers a question behind the events so far.
    mutating func add(_ status: RequestStatus?, to reply: @escaping @Sendable (RequestStatus?) -> Void) {
        send()
        queue.async { reply(status) }
    }

    /// Hands everything to the queue.
    mutating func send() {
        guard !order.isEmpty else { return }
        let deliveries = order.map { pending[$0]! }
        order.removeAll(keepingCapacity: true)
        pending.removeAll(keepingCapacity: true)
        queue.async {
            for delivery in deliveries {
                delivery.receiver.receive(delivery.events)
            }
        }
    }
}
