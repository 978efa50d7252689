import Core

/// Turns the prompts of a request into tokens that the model can take.
struct PromptEncoder {
    var codec: any TextCodec
    var model: ServedModel

    /// The tokens of one prompt, at least one and few enough that `maxTokens` more fit the model's context.
    /// - Parameters:
    ///   - session: the tokens whose KV the request's session holds; empty when it names none.
    ///   - maxTokens: of the answer; nil for as many as fit, at least one.
    /// - Throws: 400.
    func tokens(
        of prompt: CompletionRequest.Prompt,
        session: [TokenID],
        maxTokens: Int?
    ) throws(APIError) -> [TokenID] {
        var tokens: [TokenID]
        switch prompt {
        case .tokens(let ids): tokens = ids
        case .text(let text):
            try checkLength(of: text, in: prompt.field)
            do throws(TextCodecError) {
                tokens = try Self.encode(text, continuing: session, codec)
            } catch {
                throw .invalid("'prompt' cannot be tokenised: \(error.message)", param: "prompt")
            }
        case .chat(let conversation):
            tokens = try self.tokens(of: conversation, session: session)
        }
        if tokens.isEmpty {
            guard let token = model.emptyPromptToken else {
                throw .invalid(
                    "'prompt' is empty, and this model has no token to start from; give at least one character.",
                    param: "prompt"
                )
            }
            tokens = [token]
        }
        let (needed, overflow) = tokens.count.addingReportingOverflow(maxTokens ?? 1)
        guard !overflow, needed <= model.contextLength else {
            let asked = maxTokens.map { " and 'max_tokens' is \($0). Shorten the prompt or lower 'max_tokens'." }
            throw .invalid(
                "The model's context is \(model.contextLength) tokens; the prompt has \(tokens.count)"
                    + (asked ?? ", which leaves no room for an answer. Shorten it."),
                param: tokens.count > model.contextLength || maxTokens == nil ? prompt.field : "max_tokens",
                code: "context_length_exceeded"
            )
        }
        return tokens
    }

    /// The tokens of a conversation. A transcript without markup continues a session as a completion's text does. With
    /// markup the session is found by equal tokens, as far as they go.
    private func tokens(
        of conversation: CompletionRequest.Conversation,
        session: [TokenID]
    ) throws(APIError) -> [TokenID] {
        try checkLength(of: conversation.messages.map(\.text).joined(), in: "messages")
        var tokens: [TokenID] = []
        var text = ""
        do throws(TextCodecError) {
            for part in conversation.template.parts(of: conversation.messages) {
                switch part {
                case .text(let piece): text += piece
                case .special(let name):
                    guard let special = codec.special(named: name) else {
                        text += name
                        continue
                    }
                    if !text.isEmpty { tokens += try codec.encode(text, isWhole: false, parsesSpecial: false) }
                    text = ""
                    tokens.append(special)
                }
            }
            guard conversation.template.beginsAsCompletion else {
                return try tokens + codec.encode(text, isWhole: false, parsesSpecial: false)
            }
            return try Self.encode(text, continuing: session, codec, parsesSpecial: false)
        } catch {
            throw .invalid("'messages' cannot be tokenised: \(error.message)", param: "messages")
        }
    }

    /// Refuses a text that cannot fit, before a megabyte of it is tokenised for nothing.
    private func checkLength(of text: String, in field: String) throws(APIError) {
        let most = model.contextLength * codec.longestToken
        guard text.utf8.count > most else { return }
        throw .invalid(
            "The model's context is \(model.contextLength) tokens, at most \(most) bytes of text; the prompt has "
                + "\(text.utf8.count) bytes. Shorten the prompt.",
            param: field,
            code: "context_length_exceeded"
        )
    }

    /// The tokens of a text that may continue a session.
    ///
    /// A generated text is not always cut into tokens as the tokenizer would cut it (the model may write `a` `b` where
    /// the vocabulary has `ab`). Tokenising it again would then diverge from the session's tokens in the middle, and
    /// everything behind would be computed again. So where the session's text is a beginning of the prompt, its tokens
    /// stay as they are and only the rest is encoded. A session that ends within a character, as one that was cut by
    /// `max_tokens` can, gives up the tokens of that character; one that ends with an end token gives that up, for the
    /// client's text goes on.
    static func encode(
        _ text: String,
        continuing session: [TokenID],
        _ codec: any TextCodec,
        parsesSpecial: Bool = true
    ) throws(TextCodecError) -> [TokenID] {
        guard !session.isEmpty, let kept = commonTokens(Array(text.utf8), session, codec) else {
            return try codec.encode(text, isWhole: true, parsesSpecial: parsesSpecial)
        }
        let rest = String(decoding: text.utf8.dropFirst(kept.bytes), as: UTF8.self)
        if rest.isEmpty { return Array(session.prefix(kept.tokens)) }
        return try session.prefix(kept.tokens) + codec.encode(rest, isWhole: false, parsesSpecial: parsesSpecial)
    }

    /// How many of the session's tokens the prompt begins with, and the bytes they stand for; nil when the session's
    /// text is not a beginning of the prompt.
    private static func commonTokens(
        _ prompt: [UInt8],
        _ session: [TokenID],
        _ codec: any TextCodec
    ) -> (tokens: Int, bytes: Int)? {
        var position = 0
        var boundary = (tokens: 0, bytes: 0)
        var bytes: [UInt8] = []
        for (index, token) in session.enumerated() {
            bytes.removeAll(keepingCapacity: true)
            codec.appendBytes(of: token, to: &bytes)
            guard prompt[position...].starts(with: bytes) else { return nil }
            position += bytes.count
            let isWhole = position == prompt.count || prompt[position].beginsCharacter
            if isWhole && !bytes.isEmpty { boundary = (index + 1, position) }
        }
        return boundary.tokens == 0 ? nil : boundary
    }
}
