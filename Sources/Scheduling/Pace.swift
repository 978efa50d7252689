import Core

/// How long a step may take so that a request still meets its budget.
enum Pace: Sendable, Hashable {
    /// It has no limit that a step could break.
    case free
    /// Seconds a step.
    case limited(Double)
    /// A limit is broken already, whatever the step takes.
    case late
}

extension TrackedRequest {
    /// A client that reads along sees single gaps, not their mean: a step may use up what was saved only so far.
    private static let gapLimit = 1.5

    /// The pace that this request needs from the next step on.
    ///
    /// - Parameters:
    ///   - remaining: tokens expected still to come.
    ///   - stall: seconds that prompts will take of the time ahead, its own included.
    ///   - stepsToFirst: steps until its first token, when that is still to come.
    func pace(now: Double, remaining: Double, stall: Double, stepsToFirst: Double) -> Pace {
        guard limits.isLimited else { return .free }
        let spent = now - limits.start
        var tightest = Double.infinity
        if let whole = limits.usableWhole {
            tightest = (whole - spent - stall) / remaining
        }
        if let limit = limits.usableFirstToken, firstToken == nil {
            tightest = min(tightest, (limit - spent - stall) / max(1, stepsToFirst))
        }
        if let each = limits.perToken, let firstToken {
            // The mean over the answer is what counts: fast tokens save time for slow ones.
            let end = each * (Double(generated) - 1 + remaining)
            let saved = (end - (now - firstToken)) / remaining
            tightest = min(tightest, min(saved, each * Self.gapLimit))
        } else if let each = limits.perToken {
            tightest = min(tightest, each)
        }
        guard tightest.isFinite else { return .free }
        return tightest > 0 ? .limited(tightest) : .late
    }
}
