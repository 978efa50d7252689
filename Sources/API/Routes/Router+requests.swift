import Core
import HTTP1
import JSON

/// `PATCH` and `DELETE /v1/requests/{id}`: changing and cancelling a completion that runs.
extension Router {
    /// Changes a completion's chains or budget from its next tokens on, and answers where it stands.
    func changeRequest(
        _ id: String,
        _ request: Request,
        _ context: RequestContext,
        _ responder: any Responder
    ) throws(APIError) {
        let backend = try state.running()
        var change = try RequestChange.decode(
            body: request.body,
            headers: CompletionHeaders(request.head.headers),
            available: backend.model.chains,
            received: context.arrived
        )
        let completion = try active.find(id, of: context.caller)
        if let chains = change.chains { change.chains = try allowed(chains, context.caller, backend.model) }
        let choiceCount = completion.choiceCount
        let completionID = completion.id
        completion.change(change) { statuses in
            if statuses.isEmpty {
                responder.respond(context.response(.unknownRequest(id)))
            } else {
                let json = Self.body(of: statuses, id: completionID, isList: choiceCount > 1)
                responder.respond(context.response(.ok, json: json))
            }
        }
    }

    /// Cancels a completion.
    func cancelRequest(_ id: String, of caller: Caller) throws(APIError) -> [UInt8] {
        let completion = try active.find(id, of: caller)
        guard completion.cancel() else { throw .unknownRequest(id) }
        return Self.deletion(of: completion.id, object: "request")
    }

    /// `{"id","object","deleted":true}`
    static func deletion(of id: String, object: StaticString) -> [UInt8] {
        var json = JSONWriter()
        json.raw("{\"id\":")
        json.string(id)
        json.raw(",\"object\":\"")
        json.raw(object)
        json.raw("\",\"deleted\":true}")
        return json.bytes
    }

    /// - Parameter isList: whether the completion has several choices: their states stand in a list then.
    private static func body(of choices: [ChoiceStatus], id: String, isList: Bool) -> [UInt8] {
        var json = JSONWriter()
        json.raw("{\"id\":")
        json.string(id)
        json.raw(",\"object\":\"request\",")
        if isList { json.raw("\"choices\":[") }
        for (position, choice) in choices.enumerated() {
            json.separator(before: position)
            if isList {
                json.raw("{\"index\":")
                json.integer(choice.index)
                json.raw(",")
            }
            json.raw("\"status\":")
            json.string(choice.status.phase.rawValue)
            json.raw(",\"chains\":")
            json.integer(choice.status.chains)
            json.raw(",\"prompt_tokens\":")
            json.integer(choice.status.promptTokens)
            json.raw(",\"generated_tokens\":")
            json.integer(choice.status.generatedTokens)
            if isList { json.raw("}") }
        }
        json.raw(isList ? "]}" : "}")
        return json.bytes
    }
}
