import Core
import JSON

extension CompletionRequest {
    /// Decodes and checks a `POST /v1/chat/completions`. Unknown fields are ignored, and what would change the answer and
    /// cannot be honoured is refused.
    /// - Throws: 400, or 404 for a model that is not served.
    static func decodeChat(
        body: [UInt8],
        headers: CompletionHeaders,
        model: ServedModel,
        options: APIOptions
    ) throws(APIError) -> CompletionRequest {
        let fields = try RequestFields(body: body)
        let template = model.chatTemplate
        let conversation = Conversation(messages: try ChatMessage.decode(fields), template: template)
        var request = try decode(
            fields,
            prompts: [.chat(conversation)],
            headers: headers,
            model: model,
            options: options
        )
        try request.decodeLength(fields, try lengthField(fields), default: nil)
        request.logprobs = try logprobs(fields)
        request.stop += template.stops
        request.skipsLeadingSpaces = template.skipsLeadingSpaces
        return request
    }

    /// The newer name of the limit, or the older one.
    private static func lengthField(_ fields: RequestFields) throws(APIError) -> String {
        let newer = try fields.integer("max_completion_tokens", in: 0...Int.max)
        let older = try fields.integer("max_tokens", in: 0...Int.max)
        if let newer, let older, newer != older {
            throw .invalid(
                "'max_completion_tokens' (\(newer)) and 'max_tokens' (\(older)) are the same field; give one of them.",
                param: "max_tokens"
            )
        }
        return newer == nil && older != nil ? "max_tokens" : "max_completion_tokens"
    }

    private static func logprobs(_ fields: RequestFields) throws(APIError) -> Int? {
        let isAsked = try fields.bool("logprobs") ?? false
        let top = try fields.integer("top_logprobs", in: 0...20)
        guard isAsked || top == nil else {
            throw .invalid("'top_logprobs' is only for requests with 'logprobs': true.", param: "top_logprobs")
        }
        return isAsked ? top ?? 0 : nil
    }
}

extension ChatMessage {
    /// The field `messages`.
    fileprivate static func decode(_ fields: RequestFields) throws(APIError) -> [ChatMessage] {
        let expected = "a list of at least one message, {\"role\", \"content\"}"
        guard let value = fields["messages"] else {
            throw .invalid("'messages' is missing; it must be \(expected).", param: "messages")
        }
        guard case .array(let values) = value, !values.isEmpty else {
            throw RequestFields.wrong("messages", expected, value)
        }
        var messages: [ChatMessage] = []
        for (index, value) in values.enumerated() {
            let path = "messages[\(index)]"
            guard case .object(let members) = value else { throw wrong(path, "an object", value) }
            messages.append(try message(RequestFields(members), path: path))
        }
        return messages
    }

    private static func message(_ fields: RequestFields, path: String) throws(APIError) -> ChatMessage {
        let name = fields["role"]
        // OpenAI's newer name of the system's role.
        guard let role = name?.string.flatMap({ Role(rawValue: $0 == "developer" ? "system" : $0) }) else {
            throw wrong(path + ".role", "\"system\", \"user\" or \"assistant\"", name ?? .null)
        }
        return ChatMessage(role: role, text: try text(of: fields["content"] ?? .null, path: path + ".content"))
    }

    /// A string, or a list of parts whose texts are joined.
    private static func text(of content: JSONValue, path: String) throws(APIError) -> String {
        switch content {
        case .string(let text): return text
        case .array(let parts):
            var text = ""
            for (index, part) in parts.enumerated() {
                guard case .object(let members) = part, members["type"]?.string == "text",
                    let piece = members["text"]?.string
                else { throw wrong("\(path)[\(index)]", "a part {\"type\": \"text\", \"text\"}", part) }
                text += piece
            }
            return text
        default: throw wrong(path, "a string or a list of text parts", content)
        }
    }

    private static func wrong(_ path: String, _ expected: String, _ value: JSONValue) -> APIError {
        .invalid("'\(path)' must be \(expected); got \(value.found).", param: "messages")
    }
}
