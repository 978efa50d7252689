import API
import Foundation
import HTTP1
import Synchronization

/// Keeps what it is told, and can go away as a client does.
final class FakeResponder: Responder {
    struct State {
        var response: Response?
        var head: ResponseHead?
        var writes: [[UInt8]] = []
        var isFinished = false
        var isCancelled = false
        var onCancel: (@Sendable () -> Void)?
        /// Calls that the protocol forbids.
        var mistakes: [String] = []
    }

    let state = Mutex(State())

    var response: Response? { state.withLock { $0.response } }
    var head: ResponseHead? { state.withLock { $0.head } }
    var isFinished: Bool { state.withLock { $0.isFinished } }
    var mistakes: [String] { state.withLock { $0.mistakes } }
    var isCancelled: Bool { state.withLock { $0.isCancelled } }
    var unsentBytes: Int { 0 }

    /// All of the stream's body so far.
    var streamed: String {
        state.withLock { String(decoding: $0.writes.joined(), as: UTF8.self) }
    }

    /// The data of the stream's events so far, in order, comments left out.
    var events: [String] {
        streamed.components(separatedBy: "\n\n").filter { $0.hasPrefix("data: ") }.map { String($0.dropFirst(6)) }
    }

    /// The JSON of the events but `[DONE]`.
    var chunks: [JSON] {
        events.filter { $0 != "[DONE]" }.map { JSON(Data($0.utf8)) }
    }

    /// The JSON of the whole answer.
    var json: JSON { JSON(Data(response?.body ?? [])) }

    func respond(_ response: Response) {
        state.withLock { state in
            if state.response != nil || state.head != nil { state.mistakes.append("respond after an answer") }
            state.response = response
        }
    }

    func start(_ head: ResponseHead) {
        state.withLock { state in
            if state.response != nil || state.head != nil { state.mistakes.append("start after an answer") }
            state.head = head
        }
    }

    func write(_ bytes: [UInt8]) {
        state.withLock { state in
            if state.head == nil || state.isFinished { state.mistakes.append("write out of order") }
            state.writes.append(bytes)
        }
    }

    func finish() {
        state.withLock { state in
            if state.head == nil || state.isFinished { state.mistakes.append("finish out of order") }
            state.isFinished = true
        }
    }

    func onCancel(_ body: @escaping @Sendable () -> Void) {
        let isCancelled = state.withLock { state in
            state.onCancel = body
            return state.isCancelled
        }
        if isCancelled { body() }
    }

    /// The client goes away.
    func cancel() {
        let body = state.withLock { state in
            state.isCancelled = true
            return state.onCancel
        }
        body?()
    }
}

/// Calls back from within its calls, as a transport might, and notices calls that come before another has returned.
final class ReentrantResponder: Responder {
    struct State {
        var onCancel: (@Sendable () -> Void)?
        var calls: [String] = []
        var depth = 0
        var overlaps = false
    }

    let state = Mutex(State())
    /// Called from within `start` and `write`.
    private let hook: @Sendable (_ call: String, _ leave: (@Sendable () -> Void)?) -> Void

    init(hook: @escaping @Sendable (_ call: String, _ leave: (@Sendable () -> Void)?) -> Void) {
        self.hook = hook
    }

    var isCancelled: Bool { false }
    var unsentBytes: Int { 0 }

    func respond(_ response: Response) { note("respond") }
    func start(_ head: ResponseHead) { note("start") }
    func write(_ bytes: [UInt8]) { note("write") }
    func finish() { note("finish") }
    func onCancel(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.onCancel = body } }

    private func note(_ call: String) {
        let leave = state.withLock { state in
            state.calls.append(call)
            state.overlaps = state.overlaps || state.depth > 0
            state.depth += 1
            return state.onCancel
        }
        hook(call, leave)
        state.withLock { $0.depth -= 1 }
    }
}
