import Core
import Metrics
import Tokenizer

/// What is told of a completion when it ends.
extension RunningCompletion {
    /// Tokens that were computed for it, or found: prompts that got a place, and what was generated.
    func usedTokens(_ state: State) -> Int {
        var used = 0
        for (index, choice) in state.choices.enumerated() {
            let request = submissions[index].request
            used += choice.text.tokenCount
            if request.leader == nil, choice.admission != nil { used += request.prompt.count }
        }
        return used
    }

    /// The completion in the access log.
    func entry(_ outcome: RequestOutcome, _ state: State) -> AccessEntry.Completion {
        let usage = usage(state)
        let arrival = submissions[0].request.arrival
        var entry = AccessEntry.Completion()
        entry.model = request.model
        entry.outcome = outcome.rawValue
        entry.promptTokens = usage.promptTokens
        entry.cachedTokens = usage.cachedTokens
        entry.completionTokens = usage.completionTokens
        entry.chainTokens = usage.chainTokens
        entry.chains = state.firstAdmission?.chains
        entry.chainsReason = state.firstAdmission?.reason.rawValue
        entry.queueTime = state.firstAdmission?.queueTime
        entry.firstTokenTime = state.times.compactMap(\.firstToken).min().map { $0 - arrival }
        entry.finishReasons = state.choices.map { $0.text.finish?.rawValue }
        entry.session = request.sessionID.map(AccessEntry.hash(ofSession:))
        if context.record?.takesPrompts == true { entry.prompts = prompts() }
        return entry
    }

    /// The prompts as the model got them.
    private func prompts() -> [[UInt8]] {
        submissions.filter { $0.request.leader == nil }.map { submission in
            var text: [UInt8] = []
            var repair = UTF8Repairer()
            for token in submission.request.prompt { repair.append(codec.bytes(of: token), to: &text) }
            repair.flush(to: &text)
            return text
        }
    }
}
