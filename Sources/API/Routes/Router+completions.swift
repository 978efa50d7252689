import Core
import FoundationEssentials
import HTTP1

extension Router {
    /// `POST /v1/completions`: decode, tokenise, submit.
    func complete(
        _ request: Request,
        _ context: RequestContext,
        _ responder: any Responder
    ) throws(APIError) {
        let backend = try state.accepting()
        let completion = try CompletionRequest.decode(
            body: request.body,
            headers: CompletionHeaders(request.head.headers),
            model: backend.model,
            options: options
        )
        let id = "cmpl-" + RandomName.make()
        let writer = CompletionWriter(
            id: id,
            created: Int(Date().timeIntervalSince1970),
            model: completion.model,
            systemFingerprint: backend.model.systemFingerprint,
            includeUsage: completion.includeUsage,
            hasLogprobs: completion.logprobs != nil
        )
        let running = RunningCompletion(
            context: context,
            request: completion,
            submissions: try submissions(for: completion, id: id, arrival: context.arrived, backend: backend),
            writer: writer,
            backend: backend,
            responder: responder,
            active: active,
            metrics: metrics.requests
        )
        running.start()
    }

    /// One engine request for each choice, in the order of their index: `prompt * n + number`.
    private func submissions(
        for request: CompletionRequest,
        id: String,
        arrival: ContinuousClock.Instant,
        backend: ServiceState.Backend
    ) throws(APIError) -> [RunningCompletion.Submission] {
        let encoder = PromptEncoder(codec: backend.codec, model: backend.model)
        let session = request.sessionID.map { backend.service.sessionTokens($0, salt: request.cacheSalt) } ?? []
        let endTokens = request.ignoreEndTokens ? [] : backend.model.endTokens
        var submissions: [RunningCompletion.Submission] = []
        for prompt in request.prompts {
            let tokens = try encoder.tokens(of: prompt, session: session, maxTokens: request.maxTokens)
            let echo = request.echo ? EchoedPrompt(prompt: prompt, tokens: tokens, codec: backend.codec) : nil
            let seed = request.seed ?? UInt64.random(in: .min ... .max)
            let first = submissions.count
            for number in 0..<request.n {
                let generation = GenerationRequest(
                    id: request.choiceCount == 1 ? id : "\(id)-\(submissions.count)",
                    prompt: tokens,
                    maxTokens: request.maxTokens,
                    minTokens: request.minTokens,
                    chains: request.chains,
                    sampling: request.sampling(number: number, seed: seed),
                    endTokens: endTokens.union(request.stopTokens),
                    logprobs: request.logprobs,
                    promptLogprobs: request.echo && request.logprobs != nil,
                    sessionID: request.sessionID,
                    arrival: arrival,
                    budget: request.budget,
                    priority: request.priority,
                    cacheSalt: request.cacheSalt,
                    leader: number == 0 ? nil : submissions[first].request.id
                )
                submissions.append(RunningCompletion.Submission(request: generation, echo: echo))
            }
        }
        return submissions
    }
}
