// The body of a completion request, and of a chat: decoded within all limits, or refused with 400 or 404.

import Core
import Fuzzing

@testable import API

private let model = ServedModel(
    name: "catena",
    chains: 4,
    contextLength: 1000,
    vocabularySize: 300,
    endTokens: [0],
    emptyPromptToken: 0,
    created: 0,
    fingerprint: "0123456789abcdef"
)

fuzz { input in
    let options = APIOptions()
    do throws(APIError) {
        let request = try CompletionRequest.decode(
            body: input,
            headers: CompletionHeaders(),
            model: model,
            options: options
        )
        precondition((1...options.maximumPrompts).contains(request.prompts.count))
        precondition((1...options.maximumN).contains(request.n))
        precondition(request.temperature.isFinite && request.temperature >= 0)
        precondition((0...400).contains(request.logprobs ?? 0))
    } catch {
        check(error)
    }
    do throws(APIError) {
        let request = try CompletionRequest.decodeChat(
            body: input,
            headers: CompletionHeaders(),
            model: model,
            options: options
        )
        precondition(request.isChat && request.prompts.count == 1)
    } catch {
        check(error)
    }
}

private func check(_ error: APIError) {
    precondition([400, 404].contains(error.status), "\(error.status)")
    precondition(String(validating: error.body, as: UTF8.self) != nil)
}
