import Access
import Core
import Dispatch
import HTTP1

@testable import API

/// A router over a fake engine.
struct Fixture {
    let state = ServiceState()
    let service: FakeService
    let router: Router

    init(
        options: APIOptions = APIOptions(),
        access: AccessControl = AccessControl(),
        model: ServedModel? = .fake,
        service: FakeService = FakeService()
    ) {
        self.service = service
        router = Router(state: state, options: options, access: access)
        if let model { state.becomeReady(model: model, codec: FakeCodec(), service: service) }
    }

    /// Sends a request through the early answer and the handler, as the transport does, and waits until it is decoded.
    func send(
        _ method: HTTPMethod,
        _ path: String,
        headers: HTTPHeaders = [:],
        body: String = "",
        query: String? = nil,
        peer: PeerAddress = .unix,
        arrival: UInt64 = DispatchTime.now().uptimeNanoseconds,
        to responder: FakeResponder = FakeResponder()
    ) -> FakeResponder {
        let form: RequestTarget.Form = path == "*" ? .asterisk : .origin
        let head = RequestHead(
            method: method,
            target: RequestTarget(form: form, path: path, query: query),
            headers: headers
        )
        if let early = router.earlyAnswer(to: head, from: peer) {
            responder.respond(early)
        } else {
            router.handle(Request(head: head, body: Array(body.utf8), peer: peer, arrival: arrival), responder)
            router.decoding.sync(flags: .barrier) {}
        }
        return responder
    }

    /// Posts a completion. `fields` are JSON members, the prompt among them.
    func complete(
        _ fields: String,
        headers: HTTPHeaders = [:],
        arrival: UInt64 = DispatchTime.now().uptimeNanoseconds,
        to responder: FakeResponder = FakeResponder()
    ) -> FakeResponder {
        var all: HTTPHeaders = ["Content-Type": "application/json"]
        for (name, value) in headers { all.append(name, value) }
        return send(.post, "/v1/completions", headers: all, body: "{\(fields)}", arrival: arrival, to: responder)
    }

    /// Posts a chat. `fields` are JSON members, the messages among them.
    func chat(_ fields: String, headers: HTTPHeaders = [:]) -> FakeResponder {
        var all: HTTPHeaders = ["Content-Type": "application/json"]
        for (name, value) in headers { all.append(name, value) }
        return send(.post, "/v1/chat/completions", headers: all, body: "{\(fields)}")
    }

    /// Patches a running request. `fields` are JSON members.
    func patch(_ id: String, _ fields: String, headers: HTTPHeaders = [:]) -> FakeResponder {
        var all: HTTPHeaders = ["Content-Type": "application/json"]
        for (name, value) in headers { all.append(name, value) }
        return send(.patch, "/v1/requests/" + id, headers: all, body: "{\(fields)}")
    }
}
