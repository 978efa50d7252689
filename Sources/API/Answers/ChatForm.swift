import Core
import JSON

/// What the answers to chats have in another form than those to completions: messages for texts, deltas for pieces, and a
/// list of objects for log probabilities.
struct ChatForm: Sendable {
    let codec: any TextCodec
    /// Alternatives beside each token's log probability.
    let topLogprobs: Int

    /// The text of a choice: a whole message, or what a stream adds to it.
    func write(_ piece: AnswerPiece, isWhole: Bool, to json: inout JSONWriter) {
        guard !isWhole else {
            json.raw("\"message\":{\"role\":\"assistant\",\"content\":")
            json.string(utf8: piece.text)
            json.raw(",\"refusal\":null}")
            return
        }
        json.raw("\"delta\":{")
        if piece.isFirst { json.raw("\"role\":\"assistant\",") }
        // A client that adds up deltas takes an empty text as well as none.
        json.raw("\"content\":")
        json.string(utf8: piece.text)
        json.raw("}")
    }

    /// The `logprobs` object of a choice.
    func write(_ entries: [LogprobEntry], to json: inout JSONWriter) {
        json.raw("{\"content\":[")
        for (index, entry) in entries.enumerated() {
            json.separator(before: index)
            json.raw("{")
            write(entry.id, entry.token, entry.logprob ?? 0, to: &json)
            json.raw(",\"top_logprobs\":[")
            for (rank, alternative) in (entry.top ?? []).prefix(topLogprobs).enumerated() {
                json.separator(before: rank)
                json.raw("{")
                write(alternative.id, alternative.token, alternative.logprob, to: &json)
                json.raw("}")
            }
            json.raw("]}")
        }
        json.raw("],\"refusal\":null}")
    }

    /// `bytes` are the token's own: a part of a character has its bytes, a special token those of its name.
    private func write(_ id: TokenID, _ label: String, _ logprob: Float, to json: inout JSONWriter) {
        json.raw("\"token\":")
        json.string(label)
        json.raw(",\"logprob\":")
        json.number(logprob)
        json.raw(",\"bytes\":[")
        let bytes = codec.specialName(of: id).map { Array($0.utf8) } ?? codec.bytes(of: id)
        for (index, byte) in bytes.enumerated() {
            json.separator(before: index)
            json.integer(Int(byte))
        }
        json.raw("]")
    }
}
