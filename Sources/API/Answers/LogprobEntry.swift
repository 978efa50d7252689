import Core
import JSON

/// One token's row in the four lists of a completion's `logprobs`.
struct LogprobEntry: Sendable, Hashable {
    struct Alternative: Sendable, Hashable {
        var id: TokenID
        var token: String
        var logprob: Float
    }

    var id: TokenID
    var token: String
    /// Nil for the first token of a prompt: nothing precedes it.
    var logprob: Float?
    /// Best first, the token itself among them; nil as for `logprob`.
    var top: [Alternative]?
    /// Where the token's text begins in the choice's text, in characters (Unicode scalars, as Python counts them).
    var offset: Int

    /// - Parameters:
    ///   - logprobs: of this token; nil for the first token of a prompt.
    ///   - count: how many alternatives were asked for.
    init(token: TokenID, logprobs: TokenLogprobs?, count: Int, offset: Int, codec: any TextCodec) {
        id = token
        self.token = codec.label(of: token)
        self.offset = offset
        guard let logprobs else { return }
        logprob = logprobs.chosen.logprob
        var alternatives = logprobs.top.prefix(count).map { entry in
            Alternative(id: entry.id, token: codec.label(of: entry.id), logprob: entry.logprob)
        }
        // The token itself is always listed, with the same number: programs look for it, and compare.
        if let index = alternatives.firstIndex(where: { $0.token == self.token }) {
            alternatives[index].logprob = logprobs.chosen.logprob
        } else {
            alternatives.append(Alternative(id: token, token: self.token, logprob: logprobs.chosen.logprob))
        }
        top = alternatives
    }
}

extension JSONWriter {
    /// The `logprobs` object of a choice: parallel lists, in the order of the tokens.
    mutating func logprobs(_ entries: [LogprobEntry]) {
        raw("{\"tokens\":[")
        for (index, entry) in entries.enumerated() {
            separator(before: index)
            string(entry.token)
        }
        raw("],\"token_logprobs\":[")
        for (index, entry) in entries.enumerated() {
            separator(before: index)
            if let logprob = entry.logprob { number(logprob) } else { raw("null") }
        }
        raw("],\"top_logprobs\":[")
        for (index, entry) in entries.enumerated() {
            separator(before: index)
            top(entry.top)
        }
        raw("],\"text_offset\":[")
        for (index, entry) in entries.enumerated() {
            separator(before: index)
            integer(entry.offset)
        }
        raw("]}")
    }

    /// The alternatives as an object from token to number. Its names are unique: of two tokens that look the same the
    /// more likely one is listed.
    private mutating func top(_ alternatives: [LogprobEntry.Alternative]?) {
        guard let alternatives else {
            raw("null")
            return
        }
        raw("{")
        var written: Set<String> = []
        for alternative in alternatives where written.insert(alternative.token).inserted {
            separator(before: written.count - 1)
            string(alternative.token)
            raw(":")
            number(alternative.logprob)
        }
        raw("}")
    }
}
