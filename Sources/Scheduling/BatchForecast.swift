/// What becomes of the requests that are here if no more come and everybody runs at the fewest chains: when a newcomer gets a
/// place, and when its answer is complete.
///
/// It goes from one end of an answer to the next, at O(places) each, so whoever is told to wait for long is told at once:
/// behind a limit the work that is left is only summed up.
struct BatchForecast {
    /// A request that runs or waits.
    struct Entry: Sendable, Hashable {
        /// Tokens expected of it, at least 1.
        var steps: Double
        var chains: Int
        /// The position in the middle of what is left of it.
        var position: Int
        /// Seconds that its prompt still takes.
        var prefill: Double
        /// When its answer should be complete; infinite without a deadline.
        var due: Double
    }

    /// When a request has its first token, and its last.
    struct Times: Sendable, Hashable {
        var first: Double
        var last: Double
    }

    private let cost: CostModel
    private let places: Int
    private var now: Double
    private var running: [Entry] = []
    private var shape: StepShape

    /// - Parameter running: have their places.
    init(running: [Entry], places: Int, cost: CostModel, now: Double) {
        self.cost = cost
        self.places = places
        self.now = now
        shape = StepShape(chains: cost.tiers.count)
        for entry in running { admit(entry) }
    }

    /// When `newcomer` is done, behind those that wait.
    ///
    /// - Parameters:
    ///   - waiting: in the order of their turns.
    ///   - limit: times after it are rough.
    mutating func times(of newcomer: Entry, behind waiting: [Entry], limit: Double) -> Times {
        for (index, entry) in (waiting + [newcomer]).enumerated() {
            while !hasPlace(for: entry) {
                guard now <= limit else {
                    let work = (running + waiting[index...] + [newcomer]).reduce(0) { $0 + self.work($1) }
                    return Times(first: now + work, last: now + work)
                }
                endNext()
            }
            admit(entry)
        }
        let first = now + cost.rowSeconds(shape)
        // Its place is the last one, and those that come free now stay so.
        while let own = running.last, running.contains(where: { $0.steps < own.steps }) { endNext() }
        endNext()
        return Times(first: first, last: now)
    }

    private mutating func hasPlace(for entry: Entry) -> Bool {
        guard running.count < places else { return false }
        shape.add(position: entry.position, chains: entry.chains)
        var gate = Gate(step: cost.rowSeconds(shape))
        shape.remove(position: entry.position, chains: entry.chains)
        for other in running where other.due < .infinity {
            gate.protect(pace: (other.due - now) / other.steps, remaining: other.steps, due: other.due)
        }
        return gate.admits(prefill: entry.prefill, due: entry.due)
    }

    private mutating func admit(_ entry: Entry) {
        now += entry.prefill
        running.append(entry)
        shape.add(position: entry.position, chains: entry.chains)
    }

    /// Goes on until the next answer is complete.
    private mutating func endNext() {
        let steps = running.reduce(Double.infinity) { min($0, $1.steps) }
        now += steps * cost.rowSeconds(shape)
        var kept = 0
        for index in running.indices {
            var entry = running[index]
            entry.steps -= steps
            if entry.steps > 0 {
                running[kept] = entry
                kept += 1
            } else {
                shape.remove(position: entry.position, chains: entry.chains)
            }
        }
        running.removeSubrange(kept...)
    }

    /// Seconds of the machine that a request still takes, in full batches.
    private func work(_ entry: Entry) -> Double {
        let token = cost.decodeSeconds(rows: places, chains: entry.chains, position: entry.position) / Double(places)
        return entry.prefill + entry.steps * token
    }
}
