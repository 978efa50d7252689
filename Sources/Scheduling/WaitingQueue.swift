import Core
import DequeModule

/// The requests that wait for a place, in the order they get one.
///
/// Higher priorities first. Among equal ones the client that was served least: every client has a counter of tokens
/// computed for it, so one that sends much waits behind its own requests and not before others' (the virtual token
/// counter of "Fairness in Serving Large Language Models", OSDI '24). A client's own requests go by their deadline, and
/// then by arrival.
struct WaitingQueue: Sendable {
    /// Sorted, for every client that waits. Most come at the end and go from the front.
    private var entries: [ClientID: Deque<TrackedRequest>] = [:]
    /// Tokens computed for every client that waits or runs.
    private var served: [ClientID: Double] = [:]
    private(set) var count = 0
    /// The prompts of all that wait, as silent rows.
    private(set) var prompts = SilentRows()
    /// How many of those who wait have a latency budget.
    private(set) var limitedCount = 0
    /// Nobody who waits is cut off before this; nil: nobody is.
    private(set) var earliestCutOff: Double?

    var isEmpty: Bool { count == 0 }

    /// All that wait, in no particular order.
    var requests: some Sequence<TrackedRequest> { entries.values.lazy.joined() }

    /// Calls `body` with each that waits, and with about how many get a place before it: clients take turns.
    func forEach(_ body: (TrackedRequest, _ ahead: Int) -> Void) {
        for list in entries.values {
            for (index, request) in list.enumerated() { body(request, min(index * entries.count, count - 1)) }
        }
    }

    /// Those of one client, in the order of their turns.
    func requests(of client: ClientID) -> some Sequence<TrackedRequest> { entries[client] ?? [] }

    /// What `value` says of those that get a place before `request` would, in about their order.
    func ahead<Value>(of request: TrackedRequest, _ value: (TrackedRequest) -> Value) -> [Value] {
        let own = entries[request.client]
        let turn = own?.prefix { $0.precedes(request) }.count ?? 0
        // One client alone: its list is the order.
        if let own, entries.count == 1 { return own.prefix(turn).map(value) }
        var ahead: [(turn: Int, request: TrackedRequest)] = []
        for (client, list) in entries {
            for (index, other) in list.enumerated() where other.priority >= request.priority {
                let isBefore = client == request.client ? index < turn : index <= turn
                if isBefore || other.priority > request.priority { ahead.append((index, other)) }
            }
        }
        ahead.sort {
            let mine = $0.request.priority, theirs = $1.request.priority
            if mine != theirs { return mine > theirs }
            return $0.turn != $1.turn ? $0.turn < $1.turn : $0.request.precedes($1.request)
        }
        return ahead.map { value($0.request) }
    }

    mutating func insert(_ request: TrackedRequest) {
        let client = request.client
        // Who was away did not save up turns.
        if served[client] == nil { served[client] = served.values.min() ?? 0 }
        entries[client, default: []].insert(request, sortedBy: { $0.precedes($1) })
        count += 1
        prompts += request.missingPrompt
        if request.limits.isLimited { limitedCount += 1 }
        if let cutOff = request.limits.cutOff { earliestCutOff = min(earliestCutOff ?? cutOff, cutOff) }
    }

    /// Whose turn it is, until the queue changes.
    struct Turn {
        fileprivate var client: ClientID
        fileprivate var index: Int
    }

    /// Finds the request whose turn it is among those that `isReady`; nil when none is.
    func next(where isReady: (TrackedRequest) -> Bool) -> Turn? {
        var best: (turn: Turn, request: TrackedRequest, served: Double)?
        for (client, list) in entries {
            guard let index = list.firstIndex(where: isReady) else { continue }
            let request = list[index], turns = served[client] ?? 0
            if let current = best {
                let mine = request.priority, theirs = current.request.priority
                if mine < theirs { continue }
                if mine == theirs && (turns, request.order) > (current.served, current.request.order) {
                    continue
                }
            }
            best = (Turn(client: client, index: index), request, turns)
        }
        return best?.turn
    }

    /// Takes out the request whose turn it is.
    mutating func take(_ turn: Turn) -> TrackedRequest {
        guard let request = entries[turn.client]?.remove(at: turn.index) else {
            preconditionFailure("a turn ends when the queue changes")
        }
        if entries[turn.client]?.isEmpty == true { entries[turn.client] = nil }
        count -= 1
        prompts -= request.missingPrompt
        if request.limits.isLimited { limitedCount -= 1 }
        return request
    }

    /// Takes out a request. Nil: it does not wait.
    mutating func remove(_ id: RequestID) -> TrackedRequest? {
        for (client, list) in entries {
            guard let index = list.firstIndex(where: { $0.id == id }) else { continue }
            return take(Turn(client: client, index: index))
        }
        return nil
    }

    /// Those who wait and have no time left at `now`. Looks only when there may be some.
    mutating func expired(at now: Double) -> [RequestID] {
        guard let earliestCutOff, earliestCutOff <= now else { return [] }
        var expired: [RequestID] = []
        var next: Double?
        for list in entries.values {
            for request in list {
                guard let cutOff = request.limits.cutOff else { continue }
                if cutOff <= now { expired.append(request.id) }
                next = min(next ?? cutOff, cutOff)
            }
        }
        self.earliestCutOff = next
        return expired
    }

    /// Notes that tokens were computed for a client.
    mutating func charge(_ client: ClientID, tokens: Double) {
        served[client, default: 0] += tokens
    }

    /// Forgets the counters of clients that neither wait nor run.
    mutating func keepCounters(of running: (ClientID) -> Bool) {
        served = served.filter { entries[$0.key] != nil || running($0.key) }
    }
}

extension Deque {
    /// Inserts behind the last element that is not preceded: at the end in most cases.
    fileprivate mutating func insert(_ element: Element, sortedBy precedes: (Element, Element) -> Bool) {
        var place = count
        while place > 0 && precedes(element, self[place - 1]) { place -= 1 }
        insert(element, at: place)
    }
}
