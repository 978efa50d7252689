import JSON
import LoadTesting

/// Follows the answer to one completion, from its parts to what became of the request. A value.
///
/// Understands any OpenAI-compatible server: a stream of events, or one object where the server does not stream. Chain
/// counts and `stop_reason` are Catena's; where they are missing the outcome has none.
struct CompletionReader: Sendable {
    /// Kept of a body that is not a stream.
    private static let longestBody = 16 << 20
    /// Larger numbers than these in an answer are taken for unknown.
    private static let mostChains = 256, mostTokens = 1 << 30

    private(set) var outcome: RequestOutcome
    private var head = AnswerHead()
    private var events = EventStreamParser()
    private var body: [UInt8] = []
    private var isFinished = false
    private var isCut = false
    /// What the server said went wrong, in the stream.
    private var failure: String?

    init(_ outcome: RequestOutcome) { self.outcome = outcome }

    mutating func start(_ head: AnswerHead) { self.head = head }

    /// - Parameter time: when the bytes came, in the outcome's seconds.
    mutating func take(_ bytes: UnsafeRawBufferPointer, at time: Double) throws(AnswerError) {
        guard head.status == 200 && head.isEventStream else {
            guard body.count + bytes.count <= Self.longestBody else {
                throw AnswerError("a body of more than \(Self.longestBody >> 20) MiB")
            }
            body.append(contentsOf: bytes)
            return
        }
        var offset = 0
        while let data = try events.next(bytes, at: &offset) {
            if data.elementsEqual("[DONE]".utf8) { continue }
            try take(event: data, at: time)
        }
    }

    private mutating func take(event data: [UInt8], at time: Double) throws(AnswerError) {
        let object = try Self.object(data)
        if let error = object["error"]?.object {
            failure = Self.text(of: error)
            return
        }
        if let choice = object["choices"]?.array?.first?.object { take(choice, at: time) }
        if let usage = object["usage"]?.object { take(usage) }
    }

    /// A chunk with text counts as one token; the usage at the end has the server's own count.
    private mutating func take(_ choice: JSONObject, at time: Double) {
        let text = choice["text"]?.string ?? choice["delta"]?.object?["content"]?.string ?? ""
        if !text.isEmpty {
            outcome.note(tokens: 1, chains: choice["chains"]?.count(upTo: Self.mostChains) ?? 0, at: time)
        }
        if choice["finish_reason"]?.string != nil {
            isFinished = true
            outcome.end = time
        }
        if choice["stop_reason"]?.string == "deadline" { isCut = true }
    }

    private mutating func take(_ usage: JSONObject) {
        if let tokens = usage["completion_tokens"]?.count(upTo: Self.mostTokens) { outcome.outputTokens = tokens }
        if let tokens = usage["prompt_tokens"]?.count(upTo: Self.mostTokens) { outcome.promptTokens = tokens }
        if let tokens = usage["prompt_tokens_details"]?.object?["cached_tokens"]?.count(upTo: Self.mostTokens) {
            outcome.cachedTokens = tokens
        }
        if let counts = usage["completion_tokens_details"]?.object?["chain_tokens"]?.array {
            outcome.chainTokens = counts.prefix(Self.mostChains).map { $0.count(upTo: Self.mostTokens) ?? 0 }
        }
    }

    /// The answer is complete.
    mutating func finish(at time: Double) {
        switch head.status {
        case 200 where head.isEventStream: break
        case 200:
            do { try takeWhole(at: time) } catch { return fail(error.problem, at: time) }
        case 429, 503: return end(.rejected(status: head.status, code: errorObject?["code"]?.string), at: time)
        default:
            let text = errorObject.map(Self.text(of:)) ?? String(decoding: body.prefix(200), as: UTF8.self)
            return fail("HTTP \(head.status): \(text)", at: time)
        }
        if let failure { return fail(failure, at: time) }
        guard isFinished else { return fail("the answer ended without a finish_reason", at: time) }
        outcome.status = isCut ? .cut : .completed
    }

    /// An answer in one object: all its tokens came at its end.
    private mutating func takeWhole(at time: Double) throws(AnswerError) {
        let object = try Self.object(body)
        guard let choice = object["choices"]?.array?.first?.object else {
            throw AnswerError("the answer has no choices")
        }
        take(choice, at: time)
        if let usage = object["usage"]?.object { take(usage) }
    }

    /// The request has failed.
    mutating func fail(_ problem: String, at time: Double) { end(.failed(problem), at: time) }

    /// The test was stopped.
    mutating func abandon(at time: Double) { end(.unfinished, at: time) }

    private mutating func end(_ status: RequestOutcome.Status, at time: Double) {
        outcome.status = status
        outcome.end = time
    }

    private var errorObject: JSONObject? {
        guard let object = try? Self.object(body) else { return nil }
        return object["error"]?.object
    }

    private static func text(of error: JSONObject) -> String {
        let message = error["message"]?.string ?? "an error without a message"
        return error["code"]?.string.map { "\($0): \(message)" } ?? message
    }

    private static func object(_ bytes: [UInt8]) throws(AnswerError) -> JSONObject {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONParser.parse(bytes, of: "the answer")
        } catch {
            throw AnswerError("the answer is not JSON: \(error.problem)")
        }
        guard let object = value.object else { throw AnswerError("the answer is not a JSON object") }
        return object
    }
}

extension JSONValue {
    /// A number of things that can be: what a server says is summed up later.
    fileprivate func count(upTo most: Int) -> Int? { int.flatMap { (0...most).contains($0) ? $0 : nil } }
}
