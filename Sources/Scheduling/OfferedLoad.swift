/// How much of the machine the arriving requests need at the smallest size: seconds of work that come in a second, over
/// about the last hundred requests. Above 1 even the smallest size cannot serve them all.
struct OfferedLoad: Sendable, Hashable {
    /// What a request that came 128 requests ago still counts: 1/e.
    private static let memory = 1 - 1.0 / 128
    /// Before there is something to go by: so many requests like the first, at so low a load.
    private static let prior = (requests: 16.0, load: 0.25)

    private var work = 0.0
    private var time = 0.0
    private var latest: Double?

    /// - Parameters:
    ///   - seconds: that the request takes of the machine at the smallest size, in full batches.
    ///   - now: in seconds, like all times here.
    mutating func observe(seconds: Double, at now: Double) {
        if let latest {
            work = work * Self.memory + seconds
            time = time * Self.memory + max(0, now - latest)
        } else {
            work = seconds * Self.prior.requests
            time = work / Self.prior.load
        }
        latest = now
    }

    /// The load as seen at `now`: silence counts.
    func share(at now: Double) -> Double {
        guard let latest, time > 0 else { return 0 }
        return work / (time + max(0, now - latest))
    }
}
