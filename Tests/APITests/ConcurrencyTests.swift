import Core
import Dispatch
import HTTP1
import Testing

@testable import API

/// Events, the client's going and the timer on threads of their own: the calls on the responder stay in order.
@Suite struct ConcurrencyTests {
    @Test(arguments: [true, false])
    func eventsPingsAndCancellationAtOnce(isStreaming: Bool) {
        var options = APIOptions()
        options.pingInterval = .zero
        let prompts = (0..<6).map { _ in #""a""# }.joined(separator: ",")
        for round in 0..<20 {
            let fixture = Fixture(options: options)
            let responder = fixture.complete(#""prompt":[\#(prompts)],"stop":"xyz","stream":\#(isStreaming)"#)
            DispatchQueue.concurrentPerform(iterations: 9) { thread in
                switch thread {
                case 0..<6:
                    fixture.service.send(.admitted(), to: thread)
                    for _ in 0..<20 { fixture.service.send(.text("ab"), to: thread) }
                    fixture.service.send(.finished(.length), to: thread)
                case 6, 7:
                    for _ in 0..<20 { fixture.router.pingIdleStreams() }
                default:
                    if round % 2 == 1 { responder.cancel() }
                }
            }
            #expect(responder.mistakes.isEmpty)
            #expect(fixture.router.activeCompletions == 0)
            guard round % 2 == 0 else { continue }
            if isStreaming {
                #expect(responder.isFinished)
                #expect(responder.events.filter { $0 == "[DONE]" }.count == 1)
                let choices = responder.chunks.map { $0["choices"][0] }
                for index in 0..<6 {
                    let texts = choices.filter { $0["index"].int == index }
                    #expect(texts.compactMap { $0["text"].string }.joined() == String(repeating: "ab", count: 20))
                }
            } else {
                #expect(responder.json["choices"].count == 6)
            }
        }
    }

    /// The client leaves while its request is on the way to the engine: the engine hears of the cancellation last.
    @Test func cancellationThatOvertakesTheSubmission() {
        let responder = FakeResponder()
        let service = OvertakenService(responder: responder)
        let state = ServiceState()
        state.becomeReady(model: .fake, codec: FakeCodec(), service: service)
        let router = Router(state: state)
        let head = RequestHead(
            method: .post,
            target: RequestTarget(path: "/v1/completions"),
            headers: ["Content-Type": "application/json"]
        )
        router.handle(Request(head: head, body: Array(#"{"prompt":["a","b"]}"#.utf8)), responder)
        router.decoding.sync(flags: .barrier) {}
        let calls = service.calls.withLock { $0 }
        #expect(calls.filter { $0.hasPrefix("submit") }.count == 1, "the second is not submitted")
        #expect(calls.last?.hasPrefix("cancel") == true)
        #expect(router.activeCompletions == 0)
    }

    private func stream(on fixture: Fixture, to responder: ReentrantResponder) {
        let head = RequestHead(
            method: .post,
            target: RequestTarget(path: "/v1/completions"),
            headers: ["Content-Type": "application/json"]
        )
        fixture.router.handle(Request(head: head, body: Array(#"{"prompt":"a","stream":true}"#.utf8)), responder)
        fixture.router.decoding.sync(flags: .barrier) {}
    }

    /// A responder that calls back from within `write` must not deadlock.
    @Test func cancellationFromWithinAWrite() {
        let fixture = Fixture()
        let responder = ReentrantResponder { call, leave in
            if call == "write" { leave?() }
        }
        stream(on: fixture, to: responder)
        fixture.service.send(.admitted() + .text("x"))
        #expect(fixture.service.cancelled == fixture.service.submitted.map(\.id))
        #expect(fixture.router.activeCompletions == 0)
    }

    /// Events that come while a call runs are told after it, never within.
    @Test func callsDoNotOverlap() {
        let fixture = Fixture()
        let service = fixture.service
        let responder = ReentrantResponder { call, _ in
            if call == "start" { service.send(.text("x") + .finished(.length)) }
        }
        stream(on: fixture, to: responder)
        service.send(.admitted())
        let state = responder.state.withLock { $0 }
        #expect(state.calls == ["start", "write", "finish"])
        #expect(!state.overlaps)
    }
}
