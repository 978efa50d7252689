/// Who decides how many chains a row gets, within what its client allows.
public enum ChainPolicy: Sendable, Hashable {
    /// Every request its own count, anew in each step: as many chains as leave every request the pace of its budget.
    case elastic(ElasticRules)
    /// One count for the whole batch: the largest with which the step still fits the pace of the most urgent request
    /// (SlackFit of SuperServe, NSDI '25). For comparison.
    case slackFit
    /// This count for all. For comparison, and for calibrating.
    case fixed(Int)
}

/// How near to the pace the elastic policy goes. A pace is what a request needs on average from now on; what a step
/// leaves of it is saved for bursts.
///
/// What a burst costs is won back at the rate of the machine's spare capacity, 1 - load, where the load is that of the
/// smallest size. So the share of the pace that a step may use falls with the load: half idle, a step may take most of the
/// pace; nearly full, sizes above the smallest are for lulls only.
public struct ElasticRules: Sendable, Hashable {
    /// The share of the pace that a step may use for each unit of spare capacity: more gives larger sizes, less keeps more
    /// for bursts.
    public var eagerness: Double
    /// Bounds of that share.
    public var bounds: ClosedRange<Double>
    /// A row keeps a chain it had while the step stays below this multiple of the share, so that counts do not flutter.
    public var hysteresis: Double

    public init(eagerness: Double = 1.5, bounds: ClosedRange<Double> = 0.1...0.9, hysteresis: Double = 1.1) {
        self.eagerness = eagerness
        self.bounds = bounds
        self.hysteresis = hysteresis
    }

    /// The share of the tightest pace below which rows get another chain.
    func share(load: Double) -> Double {
        min(max(eagerness * (1 - load), bounds.lowerBound), bounds.upperBound)
    }
}
