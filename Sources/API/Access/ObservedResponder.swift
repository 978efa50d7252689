import HTTP1

/// A responder that adds the visit's fields to the answer's head, and tells the access log what passed. Its own end is that
/// of the request when nobody answered: the transport says 500 then, if the client is there to hear it.
final class ObservedResponder: Responder {
    private let base: any Responder
    private let visit: Visit

    init(_ base: any Responder, _ visit: Visit) {
        self.base = base
        self.visit = visit
    }

    deinit {
        if !base.isCancelled {
            visit.context.record?.note { entry in
                if entry.status == AccessEntry.clientLeft { entry.status = HTTPStatus.internalServerError.code }
            }
        }
        visit.context.record?.end()
    }

    func respond(_ response: Response) {
        base.respond(visit.complete(response))
    }

    func start(_ head: ResponseHead) {
        var head = head
        visit.fields.add(to: &head)
        visit.context.record?.note { $0.status = head.status.code }
        base.start(head)
    }

    func write(_ bytes: [UInt8]) {
        visit.context.record?.note { $0.bytesOut += bytes.count }
        base.write(bytes)
    }

    func finish() {
        base.finish()
        visit.context.record?.end()
    }

    func onCancel(_ body: @escaping @Sendable () -> Void) { base.onCancel(body) }

    var isCancelled: Bool { base.isCancelled }

    var unsentBytes: Int { base.unsentBytes }
}
