import Access
import Core
import HTTP1
import Metrics

/// Who may do what.
extension Router {
    /// Who sent a request and what it is for, or why it gets nothing.
    func admit(_ head: RequestHead, from peer: PeerAddress) -> (caller: Caller, route: Result<Route, APIError>) {
        var caller = Caller(address: access.proxies.client(of: peer) { head.headers.values("x-forwarded-for") })
        do throws(APIError) {
            let route = try Route.find(head, hasPlayground: options.hasPlayground)
            if let keys = access.keys, needsKey(route, head) {
                caller.key = try ShownKey(head.headers).found(in: keys)
            }
            try check(route, head)
            return (caller, .success(route))
        } catch {
            return (caller, .failure(error))
        }
    }

    /// Browsers ask by OPTIONS, without a key, whether they may send one.
    private func needsKey(_ route: Route, _ head: RequestHead) -> Bool {
        !route.endpoint.isOpen && head.method != .options && (route.endpoint != .metrics || access.guardsMetrics)
    }

    func visit(_ request: Request) -> Visit {
        visit(request.head, from: request.peer, arrival: request.arrival, bodyBytes: request.body.count)
    }

    /// What the transport refuses goes by what came of its head.
    func visit(_ refused: RefusedRequest) -> Visit {
        // Where nothing came, nothing is asked but who sent it.
        let visit = visit(
            refused.head ?? RequestHead(method: .get, target: RequestTarget(path: "/")),
            from: refused.peer,
            arrival: refused.arrival,
            bodyBytes: refused.bodyBytes,
            isHeadComplete: refused.isHeadComplete
        )
        if refused.head == nil {
            visit.context.record?.note { entry in
                entry.method = nil
                entry.path = nil
            }
        }
        return visit
    }

    private func visit(
        _ head: RequestHead,
        from peer: PeerAddress,
        arrival: UInt64,
        bodyBytes: Int,
        isHeadComplete: Bool = true
    ) -> Visit {
        let (caller, route) = admit(head, from: peer)
        let endpoint = try? route.get().endpoint
        let trace = TraceContext(head.headers.values("traceparent"))
        var fields = AnswerFields()
        if let trace { fields.fixed.append("traceparent", trace.header) }
        if let cors = access.cors {
            let preflight = head.method == .options ? endpoint?.allow : nil
            let cross = cors.fields(for: head, preflight: preflight, isComplete: isHeadComplete)
            for (name, value) in cross { fields.fixed.append(name, value) }
        }
        if let key = caller.key, key.isLimited { fields.limits = (key, access.limiter) }
        var entry: AccessEntry?
        if access.log != nil {
            entry = AccessEntry(head, endpoint: Route(head.target)?.endpoint, caller: caller, trace: trace)
            entry?.bytesIn = bodyBytes
        }
        let context = RequestContext(head, arrival: arrival, caller: caller, entry: entry, access: access)
        return Visit(context: context, route: route, fields: fields, isHead: head.method == .head)
    }

    /// The whole answer to a request whose body nobody reads.
    func refuse(_ head: RequestHead, from peer: PeerAddress, _ error: APIError) -> Response {
        if error.status == 401 { metrics.access.count(.key) }
        let visit = visit(head, from: peer, arrival: RequestContext.now, bodyBytes: 0)
        return visit.complete(visit.context.response(error))
    }

    /// Counts a request among those of its key.
    /// - Throws: 429.
    func countRequest(_ route: Route, _ caller: Caller) throws(APIError) {
        guard let key = caller.key, route.endpoint.isLimited else { return }
        do throws(LimitReached) {
            try access.limiter.takeRequest(key)
        } catch {
            throw refusal(error, route.endpoint)
        }
    }

    /// The chains that a request asks for, as far as its key allows them.
    /// - Throws: 403.
    func allowed(
        _ selection: ChainSelection,
        _ caller: Caller,
        _ model: ServedModel
    ) throws(APIError) -> ChainSelection {
        do throws(APIError) {
            return try caller.allowed(selection, available: model.chains)
        } catch {
            metrics.access.count(.chains)
            throw error
        }
    }

    /// Reserves the tokens that a completion may take.
    /// - Returns: nil for a caller without a key.
    /// - Throws: 429.
    func reserve(_ tokens: Int, for caller: Caller) throws(APIError) -> TokenReservation? {
        guard let key = caller.key else { return nil }
        do throws(LimitReached) {
            let reservation = try access.limiter.reserve(tokens, for: key)
            return TokenReservation(reservation, of: access.limiter)
        } catch {
            throw refusal(error, nil)
        }
    }

    /// - Parameter endpoint: of a request that nothing else counts yet; nil for one that is counted where it is refused.
    private func refusal(_ limit: LimitReached, _ endpoint: Endpoint?) -> APIError {
        metrics.access.count(AccessRefusal(limit))
        if endpoint == .completions || endpoint == .chat { metrics.requests.count(.limited) }
        return APIError(limit)
    }
}

/// Tokens that a completion may use, to be settled once when it ends.
struct TokenReservation: Sendable {
    private let reservation: Reservation
    private let limiter: RateLimiter

    init(_ reservation: Reservation, of limiter: RateLimiter) {
        self.reservation = reservation
        self.limiter = limiter
    }

    func settle(used: Int) {
        limiter.settle(reservation, used: used)
    }
}

extension AccessRefusal {
    init(_ limit: LimitReached) {
        switch limit {
        case .requests: self = .requests
        case .tokens, .tooManyTokens: self = .tokens
        case .concurrent: self = .concurrent
        }
    }
}

extension RequestOutcome {
    /// Of a completion that is refused before the engine hears of it.
    init(refusal error: APIError) {
        switch error.status {
        case 429: self = .limited
        case ..<500: self = .invalid
        default: self = .unavailable
        }
    }
}

extension AccessEntry {
    private static let longestPath = 256

    init(_ head: RequestHead, endpoint: Endpoint?, caller: Caller, trace: TraceContext?) {
        self.init()
        traceID = trace?.traceID
        spanID = trace?.spanID
        remote = "\(caller.address)"
        key = caller.key?.name
        method = head.method.name
        path = endpoint?.rawValue ?? String(decoding: head.path.utf8.prefix(Self.longestPath), as: UTF8.self)
    }
}
