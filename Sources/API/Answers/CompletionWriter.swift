import Core
import JSON

/// Writes the answers of one request: the JSON object, or the frames of an event stream.
struct CompletionWriter: Sendable {
    /// `cmpl-…`, or `chatcmpl-…`
    let id: String
    /// Seconds since 1970.
    let created: Int
    let model: String
    let systemFingerprint: String
    /// Whether every chunk has a `usage` member (null but in the last), as `include_usage` asks.
    let includeUsage: Bool
    /// Whether log probabilities were asked for; `logprobs` is null otherwise.
    let hasLogprobs: Bool
    /// The form of a chat's answer; nil for a completion's.
    var chat: ChatForm?

    /// The answer without streaming. `choices` are in the order of their index.
    func answer(_ choices: [AnswerPiece], usage: Usage) -> [UInt8] {
        var json = JSONWriter(reserving: 512 + choices.reduce(0) { $0 + $1.text.count })
        begin(&json, isWhole: true)
        for (index, choice) in choices.enumerated() {
            json.separator(before: index)
            write(choice, index: index, isWhole: true, to: &json)
        }
        json.raw("],\"usage\":")
        json.usage(usage)
        json.raw("}")
        return json.bytes
    }

    /// One event: a piece of one choice.
    func chunk(_ piece: AnswerPiece, index: Int) -> [UInt8] {
        var json = JSONWriter(reserving: 320 + piece.text.count)
        json.raw("data: ")
        begin(&json, isWhole: false)
        write(piece, index: index, isWhole: false, to: &json)
        json.raw(includeUsage ? "],\"usage\":null}\n\n" : "]}\n\n")
        return json.bytes
    }

    /// The extra event with the usage and no choices.
    func usageChunk(_ usage: Usage) -> [UInt8] {
        var json = JSONWriter(reserving: 512)
        json.raw("data: ")
        begin(&json, isWhole: false)
        json.raw("],\"usage\":")
        json.usage(usage)
        json.raw("}\n\n")
        return json.bytes
    }

    /// An error after the stream has begun.
    static func errorEvent(_ error: APIError) -> [UInt8] {
        Array("data: ".utf8) + error.body + Array("\n\n".utf8)
    }

    /// The end of a stream.
    static let done = Array("data: [DONE]\n\n".utf8)

    /// A comment that keeps an idle stream open (WHATWG HTML, 9.2.6: lines that begin with a colon are ignored).
    static let ping = Array(": ping\n\n".utf8)

    /// - Parameter isWhole: whether it is a whole answer, and not an event of a stream.
    private func begin(_ json: inout JSONWriter, isWhole: Bool) {
        json.raw("{\"id\":")
        json.string(id)
        json.raw(",\"object\":")
        json.raw(chat == nil ? "\"text_completion\"" : isWhole ? "\"chat.completion\"" : "\"chat.completion.chunk\"")
        json.raw(",\"created\":")
        json.integer(created)
        json.raw(",\"model\":")
        json.string(model)
        json.raw(",\"system_fingerprint\":")
        json.string(systemFingerprint)
        json.raw(",\"choices\":[")
    }

    private func write(_ piece: AnswerPiece, index: Int, isWhole: Bool, to json: inout JSONWriter) {
        json.raw("{\"index\":")
        json.integer(index)
        json.raw(",")
        if let chat {
            chat.write(piece, isWhole: isWhole, to: &json)
        } else {
            json.raw("\"text\":")
            json.string(utf8: piece.text)
        }
        json.raw(",\"logprobs\":")
        switch (hasLogprobs, chat) {
        case (false, _): json.raw("null")
        case (true, nil): json.logprobs(piece.entries)
        case (true, let chat?): chat.write(piece.entries, to: &json)
        }
        json.raw(",\"finish_reason\":")
        json.string(piece.finish?.openAIName)
        // Only where it says more than `finish_reason`: every byte of a chunk is sent once a token.
        if piece.finish == .deadline { json.raw(",\"stop_reason\":\"deadline\"") }
        if let chains = piece.chains {
            json.raw(",\"chains\":")
            json.integer(chains)
        }
        json.raw("}")
    }
}

extension FinishReason {
    /// The word that OpenAI's clients know: they check it against a closed list.
    fileprivate var openAIName: String {
        switch self {
        case .stop: "stop"
        case .length, .deadline: "length"
        }
    }
}
