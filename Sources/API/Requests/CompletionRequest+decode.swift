import Core
import HTTP1
import JSON

/// What a completion's headers say beside its body.
struct CompletionHeaders: Sendable, Hashable {
    /// The values of `X-Chains`.
    var chains: [String] = []
    /// The values of `X-Session-Id`.
    var sessionID: [String] = []
    var budget = BudgetHeaders()

    init() {}

    init(_ headers: HTTPHeaders) {
        chains = headers.values("x-chains")
        sessionID = headers.values("x-session-id")
        budget = BudgetHeaders(headers)
    }
}

extension CompletionRequest {
    /// Decodes and checks a request. Unknown fields are ignored; known ones are never misread.
    /// - Throws: 400, or 404 for a model that is not served.
    static func decode(
        body: [UInt8],
        headers: CompletionHeaders,
        model: ServedModel,
        options: APIOptions
    ) throws(APIError) -> CompletionRequest {
        let fields = try RequestFields(body: body)
        if let text = try fields.string("suffix"), !text.isEmpty { throw .unsupported("suffix", .string(text)) }
        let prompts = try prompts(fields, model, options)
        var request = try decode(fields, prompts: prompts, headers: headers, model: model, options: options)
        try request.decodeLength(fields, "max_tokens", default: 16)
        request.logprobs = try fields.integer("logprobs", in: 0...20)
        request.echo = try fields.bool("echo") ?? false
        return request
    }

    /// Decodes what completions and chats have in common: all but the prompt, the answer's length and its form.
    static func decode(
        _ fields: RequestFields,
        prompts: [Prompt],
        headers: CompletionHeaders,
        model: ServedModel,
        options: APIOptions
    ) throws(APIError) -> CompletionRequest {
        let (name, suffix) = try fields.model(served: model, options)
        let chains = ChainsRequest(header: headers.chains, body: fields["chains"], suffix: suffix)
        var request = CompletionRequest(
            model: name,
            prompts: prompts,
            chains: try chains.resolve(available: model.chains, default: options.defaultChains)
        )
        try request.decodeAnswer(fields, options)
        try request.decodeSampling(fields)
        request.logitBias = try fields.logitBias("logit_bias", vocabularySize: model.vocabularySize)
        try request.decodeStops(fields, model, options)
        let budget = BudgetRequest(headers: headers.budget, body: fields)
        request.budget = try budget.resolve(default: options.defaultBudget)
        request.priority = try fields.integer("priority", in: -100...100)
        request.cacheSalt = try cacheSalt(fields)
        request.sessionID = try SessionName.resolve(header: headers.sessionID, body: try fields.string("session_id"))
        if request.sessionID != nil && request.candidateCount > 1 {
            throw .invalid(
                "A session continues one answer: it takes one prompt and n = 1; this request asks for "
                    + "\(request.candidateCount) answers.",
                param: "session_id"
            )
        }
        try refuseForms(fields)
        return request
    }

    /// Refuses what asks for answers of a form that this server does not hold its model to.
    private static func refuseForms(_ fields: RequestFields) throws(APIError) {
        for name in ["tools", "functions"] {
            guard let value = fields[name] else { continue }
            guard case .array(let values) = value else { throw RequestFields.wrong(name, "a list", value) }
            guard values.isEmpty else { throw .unsupported(name, value) }
        }
        guard let format = try fields.object("response_format") else { return }
        let type = RequestFields(format)["type"] ?? .null
        guard type.string == "text" else {
            throw .invalid(
                "'response_format.type' must be \"text\": Catena does not hold answers to another form; got "
                    + "\(type.found).",
                param: "response_format",
                code: "unsupported_parameter"
            )
        }
    }

    private static let longestSalt = 256

    /// An empty one is none.
    private static func cacheSalt(_ fields: RequestFields) throws(APIError) -> String? {
        guard let salt = try fields.string("cache_salt"), !salt.isEmpty else { return nil }
        guard salt.utf8.count <= longestSalt else {
            throw .invalid(
                "'cache_salt' must be a string of at most \(longestSalt) bytes; got \(salt.utf8.count) bytes.",
                param: "cache_salt"
            )
        }
        return salt
    }

    /// How much to answer, and in which form.
    private mutating func decodeAnswer(_ fields: RequestFields, _ options: APIOptions) throws(APIError) {
        n = try fields.integer("n", in: 1...options.maximumN) ?? 1
        bestOf = try fields.integer("best_of", in: 1...options.maximumN) ?? n
        guard bestOf >= n else {
            throw .invalid("'best_of' must be at least n (\(n)); got \(bestOf).", param: "best_of")
        }
        guard candidateCount <= options.maximumChoices else {
            let name = isRanked ? "best_of" : "n"
            throw .invalid(
                "\(prompts.count) prompts with \(name) = \(bestOf) make \(candidateCount) answers; one request may ask "
                    + "for \(options.maximumChoices).",
                param: name
            )
        }
        stream = try fields.bool("stream") ?? false
        guard !stream || !isRanked else {
            throw .invalid(
                "'best_of' (\(bestOf)) above n (\(n)) cannot be streamed: which answers are the best is known at their "
                    + "end; leave 'best_of' or 'stream' out.",
                param: "best_of"
            )
        }
        if let streamOptions = try fields.object("stream_options") {
            guard stream else {
                throw .invalid("'stream_options' is only for requests with 'stream': true.", param: "stream_options")
            }
            includeUsage = try RequestFields(streamOptions).bool("include_usage") ?? false
        }
        _ = try fields.string("user")
    }

    /// The most and the fewest tokens of an answer.
    /// - Parameters:
    ///   - name: the field of the most.
    ///   - standard: the most where the request says nothing; nil: what the context has room for.
    mutating func decodeLength(_ fields: RequestFields, _ name: String, default standard: Int?) throws(APIError) {
        maxTokens = try fields.integer(name, in: 0...Int.max) ?? standard
        minTokens = try fields.integer("min_tokens", in: 0...Int.max) ?? 0
        guard let maxTokens, minTokens > maxTokens else { return }
        throw .invalid("'min_tokens' must be at most '\(name)' (\(maxTokens)); got \(minTokens).", param: "min_tokens")
    }

    private mutating func decodeSampling(_ fields: RequestFields) throws(APIError) {
        temperature = Float(try fields.number("temperature", in: 0...2) ?? 1)
        topP = Float(try fields.number("top_p", in: 0...1) ?? 1)
        // -1 is another server's way to say "all".
        topK = max(0, try fields.integer("top_k", in: -1...Int.max) ?? 0)
        minP = Float(try fields.number("min_p", in: 0...1) ?? 0)
        typicalP = Float(try fields.number("typical_p", in: 0...1) ?? 1)
        repetitionPenalty = Float(try fields.number("repetition_penalty", in: 0.1...10) ?? 1)
        presencePenalty = Float(try fields.number("presence_penalty", in: -2...2) ?? 0)
        frequencyPenalty = Float(try fields.number("frequency_penalty", in: -2...2) ?? 0)
        seed = try fields.seed("seed")
        // The smallest set that reaches probability 0 would be empty; what is meant is the most likely token.
        if topP == 0 {
            topP = 1
            topK = 1
        }
    }

    private mutating func decodeStops(
        _ fields: RequestFields,
        _ model: ServedModel,
        _ options: APIOptions
    ) throws(APIError) {
        stop = try Self.stops(fields["stop"], options)
        ignoreEndTokens = try fields.bool("ignore_eos") ?? false
        guard let value = fields["stop_token_ids"] else { return }
        guard case .array(let values) = value, values.count <= options.maximumStops else {
            throw RequestFields.wrong(
                "stop_token_ids",
                "a list of at most \(options.maximumStops) token ids",
                value
            )
        }
        let name = "stop_token_ids"
        stopTokens = Set(
            try RequestFields.tokens(values, of: name, path: name, vocabularySize: model.vocabularySize)
        )
    }

    private static func stops(_ value: JSONValue?, _ options: APIOptions) throws(APIError) -> [String] {
        guard let value else { return [] }
        let values: [JSONValue]
        switch value {
        case .string: values = [value]
        case .array(let list): values = list
        default: throw RequestFields.wrong("stop", "a string or a list of strings", value)
        }
        guard values.count <= options.maximumStops else {
            throw .invalid(
                "'stop' may have at most \(options.maximumStops) strings; got \(values.count).",
                param: "stop"
            )
        }
        var stops: [String] = []
        for (index, value) in values.enumerated() {
            let place = values.count == 1 ? "'stop'" : "'stop[\(index)]'"
            guard case .string(let stop) = value, (1...options.maximumStopBytes).contains(stop.utf8.count) else {
                throw .invalid(
                    "\(place) must be a string of 1 to \(options.maximumStopBytes) bytes; got \(value.found).",
                    param: "stop"
                )
            }
            stops.append(stop)
        }
        return stops
    }
}

// MARK: - Prompts

extension CompletionRequest {
    private static let promptForms = "a string, a list of strings, a list of token ids or a list of such lists"

    private static func prompts(
        _ fields: RequestFields,
        _ model: ServedModel,
        _ options: APIOptions
    ) throws(APIError) -> [Prompt] {
        switch fields["prompt"] {
        case nil:
            throw .invalid("'prompt' is missing; it must be \(promptForms).", param: "prompt")
        case .string(let text):
            return [.text(text)]
        case .array(let values):
            // The first element says which of the forms is meant.
            switch values.first {
            case .string:
                try check(count: values.count, options)
                return try texts(values)
            case .array:
                try check(count: values.count, options)
                return try tokenLists(values, model)
            case .integer, .unsigned, .double:
                let size = model.vocabularySize
                let tokens = try RequestFields.tokens(values, of: "prompt", path: "prompt", vocabularySize: size)
                return [.tokens(tokens)]
            case let other:
                let found = other.map { "a list that begins with \($0.found)" } ?? "an empty list"
                throw .invalid("'prompt' must be \(promptForms), not empty; got \(found).", param: "prompt")
            }
        case let other?:
            throw RequestFields.wrong("prompt", promptForms, other)
        }
    }

    private static func check(count: Int, _ options: APIOptions) throws(APIError) {
        guard count <= options.maximumPrompts else {
            throw .invalid(
                "'prompt' may have at most \(options.maximumPrompts) prompts; got \(count).",
                param: "prompt"
            )
        }
    }

    private static func texts(_ values: [JSONValue]) throws(APIError) -> [Prompt] {
        var prompts: [Prompt] = []
        for (index, value) in values.enumerated() {
            guard case .string(let text) = value else {
                throw .invalid(
                    "'prompt[\(index)]' must be a string, as the first element is; got \(value.found).",
                    param: "prompt"
                )
            }
            prompts.append(.text(text))
        }
        return prompts
    }

    private static func tokenLists(_ values: [JSONValue], _ model: ServedModel) throws(APIError) -> [Prompt] {
        var prompts: [Prompt] = []
        for (index, value) in values.enumerated() {
            guard case .array(let list) = value, !list.isEmpty else {
                throw .invalid(
                    "'prompt[\(index)]' must be a list of at least one token id, as 'prompt' is a list of lists; "
                        + "got \(value.found).",
                    param: "prompt"
                )
            }
            let path = "prompt[\(index)]"
            prompts.append(
                .tokens(
                    try RequestFields.tokens(list, of: "prompt", path: path, vocabularySize: model.vocabularySize)
                )
            )
        }
        return prompts
    }
}
