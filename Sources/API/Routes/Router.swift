import Core
import Dispatch
import HTTP1
import JSON
import Metrics

/// The API's entry: requests go in, answers go to their responders.
///
/// ```swift
/// let state = ServiceState()
/// let router = Router(state: state)            // the transport's handler, from the first connection on
/// state.becomeReady(model: model, codec: tokenizer, service: engine)
/// ```
/// Its methods may be called from any thread. They do not block: request bodies are decoded and prompts tokenised on a
/// queue of their own, and everything after that happens on the threads that bring the engine's events.
public final class Router: Sendable {
    let state: ServiceState
    let options: APIOptions
    let access: AccessControl
    let metrics: ServerMetrics
    let active = ActiveCompletions()
    /// Where bodies are decoded and prompts tokenised: a megabyte of text takes tens of milliseconds, and the
    /// transport's queues serve other connections.
    let decoding = DispatchQueue(label: "catena.api.decoding", qos: .utility, attributes: .concurrent)

    /// - Parameters:
    ///   - access: keys and their limits, CORS, and the access log.
    ///   - metrics: what the API writes its own figures to, and what `/metrics` shows.
    public init(
        state: ServiceState,
        options: APIOptions = APIOptions(),
        access: AccessControl = AccessControl(),
        metrics: ServerMetrics = ServerMetrics()
    ) {
        self.state = state
        self.options = options
        self.access = access
        self.metrics = metrics
    }

    /// Completions that are not answered yet.
    public var activeCompletions: Int { active.count }

    /// Sends `: ping` comments on the streams that were silent for `APIOptions.pingInterval`. To be called about once a
    /// second.
    public func pingIdleStreams(at now: ContinuousClock.Instant = .now) {
        active.pingIdle(at: now, interval: options.pingInterval)
    }
}

extension Router: RequestHandler {
    /// What is refused whatever its body says: 401, 404, 405, 415, and 503 while loading or draining.
    public func earlyAnswer(to head: RequestHead, from peer: PeerAddress) -> Response? {
        guard case .failure(let error) = admit(head, from: peer).route else { return nil }
        return refuse(head, from: peer, error)
    }

    public func handle(_ request: Request, _ responder: any Responder) {
        let visit = visit(request)
        let (context, responder) = (visit.context, visit.observed(responder))
        do {
            let route = try visit.route.get()
            try countRequest(route, context.caller)
            switch (route.endpoint, request.head.method) {
            case (let endpoint, .options):
                responder.respond(context.response(allowing: endpoint.allow))
            case (.completions, _), (.chat, _):
                decode(request, route.endpoint, context, responder)
            case (.tokenize, _), (.detokenize, _), (.tokenizerInfo, _):
                later(context, responder) { () throws(APIError) in
                    let json = try self.answerAboutTokens(request, route.endpoint)
                    responder.respond(context.response(.ok, json: json))
                }
            case (.request, .patch):
                later(context, responder) { () throws(APIError) in
                    try self.changeRequest(route.parameter, request, context, responder)
                }
            case (.sessions, _), (.session, _):
                later(context, responder) { () throws(APIError) in
                    let json = try self.answerAboutSessions(request.head, route, context.caller)
                    responder.respond(context.response(.ok, json: json))
                }
            case (.metrics, _):
                responder.respond(try metricsAnswer(request.head.query, context))
            case (.playground, _):
                responder.respond(context.response(.playground, to: request.head))
            case (.openAPI, _):
                responder.respond(context.response(.openAPI, to: request.head))
            default:
                responder.respond(context.response(.ok, json: try answer(to: request.head, route, context.caller)))
            }
        } catch {
            responder.respond(context.response(error))
        }
    }

    /// What the transport refuses is told in the same form as all other errors, and has its line in the access log.
    public func answer(to fault: Fault, refusing request: RefusedRequest) -> Response {
        let visit = visit(request)
        visit.context.record?.note { $0.reason = fault.message }
        var headers = visit.context.headers()
        for (name, value) in fault.headers { headers.append(name, value) }
        return visit.complete(visit.context.response(APIError(fault), headers: headers))
    }

    /// Of a request that was handled, so its line is written elsewhere.
    public func answer(to fault: Fault) -> Response {
        var headers = fault.headers
        headers.set("Content-Type", "application/json")
        return Response(ResponseHead(fault.status, headers: headers), body: APIError(fault).body)
    }
}

extension Router {
    /// Whether the head alone says that a request gets nothing.
    /// - Throws: 503 while loading or draining, 415.
    func check(_ route: Route, _ head: RequestHead) throws(APIError) {
        if head.method == .post { _ = try state.accepting() }
        if head.method == .post || head.method == .patch { try checkContentType(head) }
    }

    /// RFC 9110, section 8.3.1. Required, and no other type is taken for it: a page of another origin can send forms and
    /// plain text to a server on this machine without being asked, but not JSON.
    private func checkContentType(_ head: RequestHead) throws(APIError) {
        let value = head.headers["content-type"]
        let type = value?.prefix { $0 != ";" && $0 != " " && $0 != "\t" }.lowercased()
        guard type == "application/json" else { throw .wrongContentType(value) }
    }

    private func decode(
        _ request: Request,
        _ endpoint: Endpoint,
        _ context: RequestContext,
        _ responder: any Responder
    ) {
        decoding.async { @Sendable in
            guard !responder.isCancelled else { return self.metrics.requests.count(.disconnected) }
            do throws(APIError) {
                try self.complete(request, endpoint, context, responder)
            } catch {
                self.metrics.requests.count(RequestOutcome(refusal: error))
                responder.respond(context.response(error, headers: context.completionHeaders(admission: nil)))
            }
        }
    }

    /// Does what may take long, off the transport's queues.
    private func later(
        _ context: RequestContext,
        _ responder: any Responder,
        _ work: @escaping @Sendable () throws(APIError) -> Void
    ) {
        decoding.async { @Sendable in
            guard !responder.isCancelled else { return }
            do throws(APIError) {
                try work()
            } catch {
                responder.respond(context.response(error))
            }
        }
    }

    private func answerAboutSessions(
        _ head: RequestHead,
        _ route: Route,
        _ caller: Caller
    ) throws(APIError) -> [UInt8] {
        if route.endpoint == .sessions { return try listSessions(head.query, of: caller) }
        let isDeleted = head.method == .delete
        return try isDeleted ? deleteSession(route.parameter, of: caller) : describeSession(route.parameter, of: caller)
    }

    /// `GET /metrics`, without vLLM's names for `?aliases=false`.
    private func metricsAnswer(_ query: String?, _ context: RequestContext) throws(APIError) -> Response {
        let aliases: Bool
        switch query {
        case nil, "aliases=true": aliases = true
        case "aliases=false": aliases = false
        case let query?: throw .invalid("The query must be 'aliases=true' or 'aliases=false'; got \(quoted(query)).")
        }
        let model = state.modelIfLoaded
        let page = metrics.page(model: model?.name, chains: model?.chains ?? 0, aliases: aliases)
        let headers = context.headers(contentType: ServerMetrics.contentType)
        return Response(ResponseHead(.ok, headers: headers), body: page)
    }

    /// The body of an answer that takes no time.
    private func answer(to head: RequestHead, _ route: Route, _ caller: Caller) throws(APIError) -> [UInt8] {
        switch route.endpoint {
        case .models:
            return try state.loadedModel().listAnswer
        case .model:
            let model = try state.loadedModel()
            guard let answer = model.answer(for: route.parameter) else {
                throw .unknownModel(route.parameter, served: model)
            }
            return answer
        case .request:
            return try cancelRequest(route.parameter, of: caller)
        case .health:
            _ = try state.loadedModel()
            return Array(#"{"status":"ok"}"#.utf8)
        case .readiness:
            try state.checkReady()
            return Array(#"{"status":"ready"}"#.utf8)
        case .completions, .chat, .tokenize, .detokenize, .tokenizerInfo, .sessions, .session, .metrics, .playground,
            .openAPI, .server:
            // Answered by `handle`.
            throw .wrongMethod(head.method.name, head.path, allow: route.endpoint.allow)
        }
    }
}
