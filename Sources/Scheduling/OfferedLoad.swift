/// The work that arrives, over about the last five hundred requests: how much of it, how unevenly, and how much time it has.
/// Work is in seconds of the machine at the smallest size and in full batches, refused requests included.
struct OfferedLoad: Sendable, Hashable {
    /// What a request that came 512 requests ago still counts: 1/e.
    private static let memory = 1 - 1.0 / 512
    /// Before there is something to go by: so many requests like the first, at so low a load, as uneven as by chance.
    private static let prior = (requests: 16.0, load: 0.25)

    private var work = 0.0
    private var time = 0.0
    /// What arrivals differed from an even flow: the work of each less that of the time before it, squared.
    private var squares = 0.0
    /// Seconds that a request has, and 1 / those, and how many requests that are the sums of.
    private var allowance = 0.0
    private var urgency = 0.0
    private var requests = 0.0
    private var latest: Double?

    /// - Parameters:
    ///   - seconds: that the request takes of the machine.
    ///   - allowed: seconds that it has for its whole answer; nil without a limit.
    ///   - now: in seconds, like all times here.
    mutating func observe(seconds: Double, within allowed: Double?, at now: Double) {
        if let latest {
            let gap = max(0, now - latest)
            work = work * Self.memory + seconds
            time = time * Self.memory + gap
            let excess = seconds - work / max(time, .leastNonzeroMagnitude) * gap
            squares = squares * Self.memory + excess * excess
        } else {
            work = seconds * Self.prior.requests
            time = work / Self.prior.load
            squares = seconds * work
        }
        let allowed = max(allowed ?? TimeLimits.patience, .leastNonzeroMagnitude)
        allowance = allowance * Self.memory + allowed
        urgency = urgency * Self.memory + 1 / allowed
        requests = requests * Self.memory + 1
        latest = now
    }

    /// Seconds of work that come in a second, as seen at `now`: silence counts. Above 1 even the smallest size cannot serve
    /// them all.
    func share(at now: Double) -> Double {
        guard let latest, time > 0 else { return 0 }
        return work / (time + max(0, now - latest))
    }

    /// Seconds that a request has for its whole answer. The mean is a harmonic one: the short ones count.
    var horizon: Double { urgency > 0 ? requests / urgency : TimeLimits.patience }

    /// How unequal the times are that requests have: 0 where all have the same and so take turns as they come, near to 1
    /// where a few have many times what most have, which will overtake them.
    var unevenness: Double { allowance > 0 ? max(0, 1 - horizon * requests / allowance) : 0 }

    /// How safe it is to have `backlog` seconds of work here: `-ln` of the chance that arrivals outrun even the smallest
    /// size, until a new request's time is too short for the work before it.
    ///
    /// Work that arrives at rate `r` (of the machine) with variance `v` a second, and is done at rate 1, is a Brownian motion with
    /// drift in heavy traffic: it climbs by `x` before it is all done with a chance of `exp(-2 (1 - r) x / v)` (Kingman,
    /// "On queues in heavy traffic", 1962).
    func safety(backlog: Double, at now: Double) -> Double {
        let room = horizon - backlog, spare = 1 - share(at: now)
        guard room > 0, spare > 0 else { return 0 }
        guard squares > 0 else { return .infinity }
        return 2 * spare * room * time / squares
    }
}
