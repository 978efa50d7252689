import Core
import JSON

/// The answer to `POST /tokenize`.
struct TokensAnswer: Sendable {
    var tokens: [TokenID]
    /// The same as strings, when asked for.
    var strings: [String]?
    /// The most tokens of prompt and answer together.
    var contextLength: Int

    var json: [UInt8] {
        var json = JSONWriter(reserving: 128 + 6 * tokens.count)
        json.raw("{\"count\":")
        json.integer(tokens.count)
        json.raw(",\"max_model_len\":")
        json.integer(contextLength)
        json.raw(",\"tokens\":[")
        for (index, token) in tokens.enumerated() {
            json.separator(before: index)
            json.integer(Int(token))
        }
        json.raw("],\"token_strs\":")
        if let strings { json.strings(strings) } else { json.raw("null") }
        json.raw("}")
        return json.bytes
    }
}

/// The answer to `POST /detokenize`, under the names of both kinds of clients.
struct TextAnswer: Sendable {
    /// Valid UTF-8.
    var text: [UInt8]

    var json: [UInt8] {
        var json = JSONWriter(reserving: 64 + 2 * text.count)
        json.raw("{\"prompt\":")
        json.string(utf8: text)
        json.raw(",\"content\":")
        json.string(utf8: text)
        json.raw("}")
        return json.bytes
    }
}

/// The answer to `GET /tokenizer_info`: the names that tokenizer_config.json has for them, as far as evaluation harnesses
/// look, and what else a client may want to know of the vocabulary.
struct TokenizerInfoAnswer: Sendable {
    var model: ServedModel
    var codec: any TextCodec

    var json: [UInt8] {
        var json = JSONWriter(reserving: 512)
        json.raw("{\"tokenizer_class\":\"PreTrainedTokenizerFast\",\"model\":")
        json.string(model.name)
        json.raw(",\"vocab_size\":")
        json.integer(model.vocabularySize)
        json.raw(",\"max_model_len\":")
        json.integer(model.contextLength)
        json.raw(",\"model_max_length\":")
        json.integer(model.contextLength)
        json.raw(",\"bos_token\":")
        json.string(model.beginningToken.flatMap { codec.specialName(of: $0) })
        json.raw(",\"eos_token\":")
        json.string(model.endTokens.min().flatMap { codec.specialName(of: $0) })
        json.raw(",\"pad_token\":null,\"special_tokens\":[")
        var written = 0
        for token in 0..<TokenID(model.vocabularySize) {
            guard let name = codec.specialName(of: token) else { continue }
            json.separator(before: written)
            json.raw("{\"id\":")
            json.integer(Int(token))
            json.raw(",\"content\":")
            json.string(name)
            json.raw("}")
            written += 1
        }
        json.raw("]}")
        return json.bytes
    }
}

extension JSONWriter {
    fileprivate mutating func strings(_ strings: [String]) {
        raw("[")
        for (index, string) in strings.enumerated() {
            separator(before: index)
            self.string(string)
        }
        raw("]")
    }
}
