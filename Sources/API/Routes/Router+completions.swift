import Core
import FoundationEssentials
import HTTP1

extension Router {
    /// `POST /v1/completions` and `POST /v1/chat/completions`: decode, tokenise, submit.
    func complete(
        _ request: Request,
        _ endpoint: Endpoint,
        _ context: RequestContext,
        _ responder: any Responder
    ) throws(APIError) {
        let backend = try state.accepting()
        let decode = endpoint == .chat ? CompletionRequest.decodeChat : CompletionRequest.decode
        let headers = CompletionHeaders(request.head.headers)
        let caller = context.caller
        var options = options
        options.defaultChains = caller.defaultChains(options.defaultChains, available: backend.model.chains)
        var completion = try decode(request.body, headers, backend.model, options)
        completion.chains = try allowed(completion.chains, caller, backend.model)
        let id = (completion.isChat ? "chatcmpl-" : "cmpl-") + RandomName.make()
        let writer = CompletionWriter(
            id: id,
            created: Int(Date().timeIntervalSince1970),
            model: completion.model,
            systemFingerprint: backend.model.systemFingerprint,
            includeUsage: completion.includeUsage,
            hasLogprobs: completion.logprobs != nil,
            chat: completion.isChat ? ChatForm(codec: backend.codec, topLogprobs: completion.logprobs ?? 0) : nil
        )
        let submissions = try submissions(for: completion, context, backend)
        let running = RunningCompletion(
            context: context,
            request: completion,
            submissions: submissions,
            reservation: try reserve(Self.mostTokens(of: submissions), for: caller),
            writer: writer,
            backend: backend,
            responder: responder,
            active: active,
            metrics: metrics.requests
        )
        running.start()
    }

    /// What a completion may take of its key's tokens: those of its prompts, and the most that it may generate.
    private static func mostTokens(of submissions: [RunningCompletion.Submission]) -> Int {
        submissions.reduce(0) { total, submission in
            let request = submission.request
            return total + request.maxTokens + (request.leader == nil ? request.prompt.count : 0)
        }
    }

    /// One engine request for each answer to be generated, in the order of their index: `prompt * bestOf + number`.
    private func submissions(
        for request: CompletionRequest,
        _ context: RequestContext,
        _ backend: ServiceState.Backend
    ) throws(APIError) -> [RunningCompletion.Submission] {
        let encoder = PromptEncoder(codec: backend.codec, model: backend.model)
        let caller = context.caller
        let sessionID = request.sessionID.map(caller.stored(session:))
        let salt = caller.stored(salt: request.cacheSalt)
        let session = sessionID.map { backend.service.sessionTokens($0, salt: salt) } ?? []
        let arrival = context.arrived
        let endTokens = request.ignoreEndTokens ? [] : endTokens(of: request, backend)
        var submissions: [RunningCompletion.Submission] = []
        for prompt in request.prompts {
            let tokens = try encoder.tokens(of: prompt, session: session, maxTokens: request.maxTokens)
            let maxTokens = request.maxTokens ?? backend.model.contextLength - tokens.count
            guard request.minTokens <= maxTokens else {
                throw .invalid(
                    "'min_tokens' must be at most what the context has room for (\(maxTokens)); got "
                        + "\(request.minTokens).",
                    param: "min_tokens"
                )
            }
            let echo = request.echo ? EchoedPrompt(prompt: prompt, tokens: tokens, codec: backend.codec) : nil
            let seed = request.seed ?? UInt64.random(in: .min ... .max)
            let first = submissions.count
            for number in 0..<request.bestOf {
                let generation = GenerationRequest(
                    id: .next(),
                    prompt: tokens,
                    maxTokens: maxTokens,
                    minTokens: request.minTokens,
                    chains: request.chains,
                    sampling: request.sampling(number: number, seed: seed),
                    endTokens: endTokens.union(request.stopTokens),
                    logprobs: request.logprobs ?? (request.isRanked ? 0 : nil),
                    promptLogprobs: request.echo && request.logprobs != nil,
                    sessionID: sessionID,
                    arrival: arrival,
                    budget: request.budget,
                    priority: caller.priority(asked: request.priority),
                    client: caller.client,
                    cacheSalt: salt,
                    leader: number == 0 ? nil : submissions[first].request.id
                )
                submissions.append(RunningCompletion.Submission(request: generation, echo: echo))
            }
        }
        return submissions
    }

    /// The model's end tokens, and the one that ends a message.
    private func endTokens(of request: CompletionRequest, _ backend: ServiceState.Backend) -> Set<TokenID> {
        guard request.isChat, let name = backend.model.chatTemplate.endToken,
            let token = backend.codec.special(named: name)
        else { return backend.model.endTokens }
        return backend.model.endTokens.union([token])
    }
}
