import Core
import DequeModule

/// The requests that wait for a place, in the order they get one.
///
/// Higher priorities first. Among equal ones the client that was served least: every client has a counter of tokens
/// computed for it, so one that sends much waits behind its own requests and not before others' (the virtual token
/// counter of "Fairness in Serving Large Language Models", OSDI '24). A client's own requests go by their deadline, and
/// then by arrival.
struct WaitingQueue: Sendable {
    private struct Entry: Sendable {
        var request: TrackedRequest
        var due: Double

        func precedes(_ other: Entry) -> Bool {
            let mine = request.priority, theirs = other.request.priority
            if mine != theirs { return mine > theirs }
            if due != other.due { return due < other.due }
            return request.order < other.request.order
        }
    }

    /// Sorted, for every client that waits. Most come at the end and go from the front.
    private var entries: [ClientID: Deque<Entry>] = [:]
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
    var requests: some Sequence<TrackedRequest> { entries.values.lazy.joined().map(\.request) }

    /// Calls `body` with each that waits, and with about how many get a place before it: clients take turns.
    func forEach(_ body: (TrackedRequest, _ ahead: Int) -> Void) {
        for list in entries.values {
            for (index, entry) in list.enumerated() { body(entry.request, min(index * entries.count, count - 1)) }
        }
    }

    /// What `value` says of those that get a place before `request` would, in about their order.
    func ahead<Value>(of request: TrackedRequest, _ value: (TrackedRequest) -> Value) -> [Value] {
        let entry = Entry(request: request, due: Self.due(request.limits))
        let own = entries[request.client]
        let turn = own?.prefix { $0.precedes(entry) }.count ?? 0
        // One client alone: its list is the order.
        if let own, entries.count == 1 { return own.prefix(turn).map { value($0.request) } }
        var ahead: [(turn: Int, entry: Entry)] = []
        for (client, list) in entries {
            for (index, other) in list.enumerated() where other.request.priority >= request.priority {
                let isBefore = client == request.client ? index < turn : index <= turn
                if isBefore || other.request.priority > request.priority { ahead.append((index, other)) }
            }
        }
        ahead.sort {
            let mine = $0.entry.request.priority, theirs = $1.entry.request.priority
            if mine != theirs { return mine > theirs }
            return $0.turn != $1.turn ? $0.turn < $1.turn : $0.entry.precedes($1.entry)
        }
        return ahead.map { value($0.entry.request) }
    }

    mutating func insert(_ request: TrackedRequest) {
        let client = request.client
        let entry = Entry(request: request, due: Self.due(request.limits))
        // Who was away did not save up turns.
        if served[client] == nil { served[client] = served.values.min() ?? 0 }
        entries[client, default: []].insert(entry, sortedBy: { $0.precedes($1) })
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
        var best: (turn: Turn, entry: Entry, served: Double)?
        for (client, list) in entries {
            guard let index = list.firstIndex(where: { isReady($0.request) }) else { continue }
            let entry = list[index], turns = served[client] ?? 0
            if let current = best {
                let mine = entry.request.priority, theirs = current.entry.request.priority
                if mine < theirs { continue }
                if mine == theirs && (turns, entry.request.order) > (current.served, current.entry.request.order) {
                    continue
                }
            }
            best = (Turn(client: client, index: index), entry, turns)
        }
        return best?.turn
    }

    /// Takes out the request whose turn it is.
    mutating func take(_ turn: Turn) -> TrackedRequest {
        guard let entry = entries[turn.client]?.remove(at: turn.index) else {
            preconditionFailure("a turn ends when the queue changes")
        }
        if entries[turn.client]?.isEmpty == true { entries[turn.client] = nil }
        count -= 1
        prompts -= entry.request.missingPrompt
        if entry.request.limits.isLimited { limitedCount -= 1 }
        return entry.request
    }

    /// Takes out a request. Nil: it does not wait.
    mutating func remove(_ id: RequestID) -> TrackedRequest? {
        for (client, list) in entries {
            guard let index = list.firstIndex(where: { $0.request.id == id }) else { continue }
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
            for entry in list {
                guard let cutOff = entry.request.limits.cutOff else { continue }
                if cutOff <= now { expired.append(entry.request.id) }
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

    private static func due(_ limits: TimeLimits) -> Double {
        let limit = min(limits.whole ?? .infinity, limits.firstToken ?? .infinity)
        return limits.start + (limit.isFinite ? limit : TimeLimits.patience)
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
