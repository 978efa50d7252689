import Core
import HTTP1
import Metrics
import Synchronization

/// A `POST /v1/completions` from its submission to the end of its answer: joins the events of its choices into one
/// answer, and takes the engine's requests back when the client leaves, a stop string is found, or one of them fails.
///
/// Events, the client's going and the timer come on different threads. Under the lock the state changes and says what
/// is to be done (`Action`); it is done outside the lock, in order, by whichever thread came first. So a responder or
/// an engine that calls back from within a call cannot deadlock.
final class RunningCompletion: Sendable {
    /// A request as it goes to the engine, with the prompt to echo.
    struct Submission: Sendable {
        var request: GenerationRequest
        var echo: EchoedPrompt?
    }

    enum Phase {
        /// No byte of the answer is sent.
        case waiting
        /// The head of the stream is sent.
        case streaming
        case done
    }

    enum Action {
        case respond(Response)
        case start(ResponseHead)
        case write([UInt8])
        case finish
        case cancel(RequestID)
        case leave
    }

    struct State {
        var phase = Phase.waiting
        var choices: [Choice]
        /// Without streaming: the answers so far.
        var answers: [AnswerPiece]
        var times: [ChoiceTimes]
        var firstAdmission: Admission?
        var lastWrite = ContinuousClock.now
        var actions: [Action] = []
        /// Whether a thread does what is to be done. From the beginning it is the one that starts the completion.
        var isActing = true
    }

    let context: RequestContext
    let request: CompletionRequest
    let submissions: [Submission]
    private let reservation: TokenReservation?
    private let writer: CompletionWriter
    let service: any GenerationService
    let codec: any TextCodec
    private let responder: any Responder
    private let active: ActiveCompletions
    private let metrics: RequestMetrics
    private let state: Mutex<State>

    /// - Parameters:
    ///   - submissions: one for each choice, in the order of their index.
    ///   - reservation: settled when the completion ends; nil where tokens are not limited.
    init(
        context: RequestContext,
        request: CompletionRequest,
        submissions: [Submission],
        reservation: TokenReservation?,
        writer: CompletionWriter,
        backend: ServiceState.Backend,
        responder: any Responder,
        active: ActiveCompletions,
        metrics: RequestMetrics
    ) {
        self.context = context
        self.request = request
        self.submissions = submissions
        self.reservation = reservation
        self.writer = writer
        self.service = backend.service
        self.codec = backend.codec
        self.responder = responder
        self.active = active
        self.metrics = metrics
        let choices = submissions.enumerated().map { index, submission in
            Choice(
                index: index,
                request: request,
                echo: submission.echo,
                chains: backend.model.chains,
                codec: backend.codec
            )
        }
        let times = submissions.map { ChoiceTimes(arrival: $0.request.arrival, budget: $0.request.budget) }
        state = Mutex(State(choices: choices, answers: choices.map { _ in AnswerPiece() }, times: times))
    }

    /// Hands the requests to the engine. Nothing is sent before the completion can be found by its name, for a client that
    /// has read the name may use it.
    func start() {
        active.insert(self)
        submit()
        active.publish(self)
        actUntilNothingIsLeft()
    }

    private func submit() {
        responder.onCancel { [weak self] in self?.clientLeft() }
        for (index, submission) in submissions.enumerated() {
            guard !isDone else { return }
            service.submit(submission.request, to: ChoiceReceiver(completion: self, index: index))
            // Ended while this one was on its way: the cancellation may have come before the submission.
            if isDone { service.cancel(submission.request.id) }
        }
    }

    /// The completion's id: that of its answer.
    var id: String { writer.id }

    var requestID: String { context.requestID }

    /// Whose it is; nil without keys.
    var owner: String? { context.caller.owner }

    var choiceCount: Int { submissions.count }

    private var isDone: Bool {
        state.withLock { $0.phase == .done }
    }

    // MARK: - What happens

    fileprivate func receive(_ events: [GenerationEvent], choice index: Int) {
        let now = ContinuousClock.now
        perform { state in
            let before = state.choices[index].progress
            let pieces = state.choices[index].take(events)
            let choice = state.choices[index]
            measure(events, of: choice, since: before, at: now, &state.times[index])
            if let failure = choice.failure {
                let error = APIError(failure, budget: submissions[index].request.budget)
                fail(error, failure.outcome, after: frames(pieces, of: index), &state)
                return
            }
            if state.firstAdmission == nil { state.firstAdmission = choice.admission }
            if choice.isFinished && !choice.hasEngineEnded {
                state.actions.append(.cancel(submissions[index].request.id))
            }
            if request.stream {
                stream(pieces, of: index, &state)
            } else {
                gather(pieces, of: index, &state)
            }
        }
    }

    /// The client has gone: nobody reads the answer.
    private func clientLeft() {
        perform { state in
            cancelUnfinished(&state)
            end(.disconnected, &state)
        }
    }

    /// Sends a comment on a stream on which nothing was sent for `interval`.
    func pingIfIdle(at now: ContinuousClock.Instant, interval: Duration) {
        perform { state in
            guard state.phase == .streaming, now - state.lastWrite >= interval else { return }
            state.lastWrite = now
            state.actions.append(.write(CompletionWriter.ping))
        }
    }

    // MARK: - What follows, under the lock

    private func stream(_ pieces: [AnswerPiece], of index: Int, _ state: inout State) {
        if state.phase == .waiting {
            state.phase = .streaming
            state.actions.append(.start(ResponseHead(.ok, headers: streamHeaders(state))))
        }
        var frames = frames(pieces, of: index)
        let isComplete = state.choices.allSatisfy(\.isFinished)
        if isComplete {
            if request.includeUsage { frames += writer.usageChunk(usage(state)) }
            frames += CompletionWriter.done
        }
        if !frames.isEmpty {
            state.lastWrite = .now
            state.actions.append(.write(frames))
        }
        if isComplete {
            state.actions.append(.finish)
            end(outcome(state), &state)
        }
    }

    private func frames(_ pieces: [AnswerPiece], of index: Int) -> [UInt8] {
        pieces.reduce(into: []) { frames, piece in frames += writer.chunk(piece, index: index) }
    }

    private func gather(_ pieces: [AnswerPiece], of index: Int, _ state: inout State) {
        for piece in pieces {
            state.answers[index].text += piece.text
            state.answers[index].entries += piece.entries
            state.answers[index].finish = piece.finish
        }
        guard state.choices.allSatisfy(\.isFinished) else { return }
        let headers = context.completionHeaders(id: id, admission: state.firstAdmission)
        let body = writer.answer(given(state), usage: usage(state))
        state.actions.append(.respond(Response(ResponseHead(.ok, headers: headers), body: body)))
        end(outcome(state), &state)
    }

    /// The answers that the client gets, of those that are complete: for each prompt the `n` whose mean log probability is
    /// the highest, the best first. All of them in their order, where no more were generated than asked for.
    private func given(_ state: State) -> [AnswerPiece] {
        guard request.isRanked else { return state.answers }
        return stride(from: 0, to: state.choices.count, by: request.bestOf).flatMap { first in
            let ranked = (first..<first + request.bestOf).sorted { left, right in
                let means = (state.choices[left].text.meanLogprob, state.choices[right].text.meanLogprob)
                return means.0 == means.1 ? left < right : means.0 > means.1
            }
            return ranked.prefix(request.n).map { state.answers[$0] }
        }
    }

    /// - Parameter frames: what a stream still has to say before.
    func fail(_ error: APIError, _ outcome: RequestOutcome, after frames: [UInt8], _ state: inout State) {
        cancelUnfinished(&state)
        if state.phase == .streaming {
            state.actions.append(.write(frames + CompletionWriter.errorEvent(error) + CompletionWriter.done))
            state.actions.append(.finish)
        } else {
            let headers = context.completionHeaders(admission: nil)
            state.actions.append(.respond(context.response(error, headers: headers)))
        }
        end(outcome, &state)
    }

    private func cancelUnfinished(_ state: inout State) {
        for index in Self.unfinished(state.choices) { state.actions.append(.cancel(submissions[index].request.id)) }
    }

    /// Notes that a change is asked for. Returns the choices for which more is to come, by index; none once the completion
    /// is done.
    func note(_ change: RequestChange) -> [Int] {
        state.withLock { state in
            guard state.phase != .done else { return [] }
            let running = Self.unfinished(state.choices)
            if let budget = change.budget {
                for index in running { state.times[index].setBudget(budget, at: change.received) }
            }
            return running
        }
    }

    private static func unfinished(_ choices: [Choice]) -> [Int] {
        choices.indices.filter { !choices[$0].isFinished && !choices[$0].hasEngineEnded }
    }

    private func end(_ outcome: RequestOutcome, _ state: inout State) {
        metrics.count(outcome)
        reservation?.settle(used: usedTokens(state))
        context.record?.note { $0.completion = entry(outcome, state) }
        state.phase = .done
        state.actions.append(.leave)
    }

    /// Of a completion whose choices are all complete.
    private func outcome(_ state: State) -> RequestOutcome {
        state.choices.contains { $0.text.finish == .deadline } ? .deadline : .completed
    }

    /// Tells the metrics what a choice has taken of a batch of events. What comes behind a stop string is not taken.
    private func measure(
        _ events: [GenerationEvent],
        of choice: Choice,
        since before: Choice.Progress,
        at now: ContinuousClock.Instant,
        _ times: inout ChoiceTimes
    ) {
        if !before.isAdmitted, let admission = choice.admission {
            metrics.promptTokens.add(submissions[choice.index].request.prompt.count)
            metrics.cachedPromptTokens.add(admission.cachedTokens)
        }
        let sizes = events.compactMap { event in
            if case .token(let token) = event { token.chains } else { nil }
        }
        times.take(Array(sizes.prefix(choice.text.tokenCount - before.tokens)), at: now, metrics)
        if !before.isFinished, let reason = choice.text.finish { times.end(reason, at: now, metrics) }
    }

    private func streamHeaders(_ state: State) -> HTTPHeaders {
        var headers = context.completionHeaders(
            contentType: "text/event-stream; charset=utf-8",
            id: id,
            admission: state.firstAdmission
        )
        headers.append("Cache-Control", "no-cache")
        // nginx would gather the events of a stream otherwise.
        headers.append("X-Accel-Buffering", "no")
        return headers
    }

    func usage(_ state: State) -> Usage {
        var usage = Usage(chainTokens: state.choices.first.map { $0.text.chainTokens.map { _ in 0 } } ?? [])
        for (index, choice) in state.choices.enumerated() {
            if index % request.bestOf == 0 {
                usage.promptTokens += submissions[index].request.prompt.count
                usage.cachedTokens += choice.admission?.cachedTokens ?? 0
            }
            usage.completionTokens += choice.text.tokenCount
            for (tier, tokens) in choice.text.chainTokens.enumerated() { usage.chainTokens[tier] += tokens }
        }
        return usage
    }

    // MARK: - Acting, outside the lock

    /// Changes the state, unless the completion is done, and does what follows from it.
    func perform(_ change: (inout State) -> Void) {
        let isFirst = state.withLock { state in
            if state.phase != .done { change(&state) }
            if state.isActing { return false }
            state.isActing = true
            return true
        }
        guard isFirst else { return }
        actUntilNothingIsLeft()
    }

    private func actUntilNothingIsLeft() {
        while let action = nextAction() { act(action) }
    }

    private func nextAction() -> Action? {
        state.withLock { state in
            guard !state.actions.isEmpty else {
                state.isActing = false
                return nil
            }
            return state.actions.removeFirst()
        }
    }

    private func act(_ action: Action) {
        switch action {
        case .respond(let response): responder.respond(response)
        case .start(let head): responder.start(head)
        case .write(let bytes): responder.write(bytes)
        case .finish: responder.finish()
        case .cancel(let id): service.cancel(id)
        case .leave: active.remove(self)
        }
    }
}

extension GenerationFailure {
    fileprivate var outcome: RequestOutcome {
        switch self {
        case .overloaded: .overloaded
        case .unattainable: .unattainable
        case .shuttingDown: .unavailable
        case .tooLarge: .invalid
        }
    }
}

/// Takes the engine's events for one choice of a completion.
private final class ChoiceReceiver: GenerationReceiver {
    private let completion: RunningCompletion
    private let index: Int

    init(completion: RunningCompletion, index: Int) {
        self.completion = completion
        self.index = index
    }

    func receive(_ events: [GenerationEvent]) {
        completion.receive(events, choice: index)
    }
}
