/// Who may join the batch: those that leave the running requests their pace at the smallest size, and those that are more
/// urgent. The others have time to wait until somebody is done.
struct Gate {
    /// Seconds of a step with one more row; everybody at the fewest chains.
    let step: Double
    /// The running request that needs the tightest pace.
    private var tightest: (pace: Double, remaining: Double, due: Double)?

    init(step: Double) {
        self.step = step
    }

    /// Keeps the pace of a running request, unless it is late already.
    ///
    /// - Parameters:
    ///   - pace: seconds a step that it needs.
    ///   - remaining: tokens that are still to come.
    ///   - due: its deadline.
    mutating func protect(pace: Double, remaining: Double, due: Double) {
        guard pace > 0, pace < tightest?.pace ?? .infinity else { return }
        tightest = (pace, remaining, due)
    }

    /// - Parameters:
    ///   - prefill: seconds that the newcomer's prompt takes, in which nobody else gets on.
    ///   - due: the newcomer's deadline.
    func admits(prefill: Double, due: Double) -> Bool {
        guard let tightest else { return true }
        return step + prefill / tightest.remaining <= tightest.pace || due < tightest.due
    }

    /// Whether a waiting request may join the batch. Nobody waits for the others' pace longer than the patience.
    func admits(_ request: TrackedRequest, prefill: Double, now: Double) -> Bool {
        let due = request.limits.cutOff ?? request.limits.start + TimeLimits.patience
        return admits(prefill: prefill, due: due) || now - request.limits.start > TimeLimits.patience
    }
}
