import HTTP1

/// A request as its head alone shows it: who sent it, what it is for, and what every answer to it says.
struct Visit: Sendable {
    let context: RequestContext
    /// What it is for, or why it gets nothing.
    let route: Result<Route, APIError>
    let fields: AnswerFields
    /// Whether bodies of answers are only measured (RFC 9110, 9.3.2).
    let isHead: Bool

    /// The responder to answer with.
    func observed(_ responder: any Responder) -> any Responder {
        guard context.record != nil || !fields.isEmpty else { return responder }
        return ObservedResponder(responder, self)
    }

    /// A whole answer as it goes out, which is the end of the request for the access log.
    func complete(_ response: Response) -> Response {
        var response = response
        fields.add(to: &response.head)
        context.record?.note { entry in
            entry.status = response.head.status.code
            entry.bytesOut = isHead ? 0 : response.body.count
        }
        context.record?.end()
        return response
    }
}
