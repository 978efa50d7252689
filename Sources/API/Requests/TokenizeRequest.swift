import Core

/// A `POST /tokenize`: the text whose tokens are asked for.
struct TokenizeRequest: Sendable, Hashable {
    var text: String
    /// The field that the text came in, for messages.
    var field: String
    /// Whether the text is taken as a prompt from its beginning, as completions do.
    var addsSpecial = true
    /// Whether the tokens are answered as strings too.
    var returnsStrings = false

    /// - Throws: 400, or 404 for a model that is not served.
    static func decode(
        body: [UInt8],
        model: ServedModel,
        options: APIOptions
    ) throws(APIError) -> TokenizeRequest {
        let fields = try RequestFields(body: body)
        _ = try fields.model(served: model, options)
        // vLLM's name for the text, and llama.cpp's.
        let prompt = try fields.string("prompt")
        let content = try fields.string("content")
        if let prompt, let content, Array(prompt.utf8) != Array(content.utf8) {
            throw .invalid("'prompt' and 'content' are the same field; give one of them.", param: "content")
        }
        guard let text = prompt ?? content else {
            throw .invalid("'prompt' is missing; it must be a string ('content' does as well).", param: "prompt")
        }
        return TokenizeRequest(
            text: text,
            field: prompt == nil ? "content" : "prompt",
            addsSpecial: try fields.bool("add_special_tokens") ?? true,
            returnsStrings: try fields.bool("return_token_strs") ?? false
        )
    }
}

/// A `POST /detokenize`: the tokens whose text is asked for.
struct DetokenizeRequest: Sendable, Hashable {
    /// Ids that the vocabulary has; maybe none.
    var tokens: [TokenID]
    /// Whether special tokens make no text.
    var skipsSpecial = false

    /// - Throws: 400, or 404 for a model that is not served.
    static func decode(
        body: [UInt8],
        model: ServedModel,
        options: APIOptions
    ) throws(APIError) -> DetokenizeRequest {
        let fields = try RequestFields(body: body)
        _ = try fields.model(served: model, options)
        guard let value = fields["tokens"] else {
            throw .invalid("'tokens' is missing; it must be a list of token ids.", param: "tokens")
        }
        guard case .array(let values) = value else { throw RequestFields.wrong("tokens", "a list of token ids", value) }
        let size = model.vocabularySize
        return DetokenizeRequest(
            tokens: try RequestFields.tokens(values, of: "tokens", path: "tokens", vocabularySize: size),
            skipsSpecial: try fields.bool("skip_special_tokens") ?? false
        )
    }
}
