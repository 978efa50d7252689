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
/// A step that takes the whole pace of the most urgent request leaves work undone that will be in the way of whoever comes
/// next. So the share of the pace that it may use falls as the chance grows that a burst meets more work than it has time
/// for (``OfferedLoad/safety(backlog:at:)``): with few requests here, or evenly coming ones, a step may take nearly all of
/// the pace; behind a burst, or nearly full, sizes above the smallest are for lulls only.
public struct ElasticRules: Sendable, Hashable {
    /// More gives larger sizes, less keeps more for bursts.
    public var eagerness: Double
    /// The share of the tightest pace that a step takes at an eagerness of 1 where no burst is to be feared: on an idle
    /// machine, and on one that the load fills at the smallest size. The rest is for what nobody foresees, which a request near
    /// its deadline has no time for: the prompts of newcomers, stalls of the machine.
    public var idleShare: Double
    public var fullShare: Double
    /// And at most, at any eagerness.
    public var most: Double
    /// A row keeps a chain it had while the step stays below this multiple of the share, and within the pace, so that counts
    /// do not flutter.
    public var hysteresis: Double

    /// The share is a whole one at a chance of `exp(-14)`, one in a million.
    private static let wholeSafety = 14.0

    public init(
        eagerness: Double = 1,
        idleShare: Double = 0.9,
        fullShare: Double = 0.4,
        most: Double = 0.95,
        hysteresis: Double = 1.1
    ) {
        self.eagerness = eagerness
        self.idleShare = idleShare
        self.fullShare = fullShare
        self.most = most
        self.hysteresis = hysteresis
    }

    /// The share of the tightest pace below which rows get another chain.
    ///
    /// - Parameters:
    ///   - load: of the machine at the smallest size.
    ///   - safety: `-ln` of the chance that a burst comes too late.
    func share(load: Double, safety: Double) -> Double {
        let quiet = max(0, idleShare + (fullShare - idleShare) * load)
        return min(eagerness * min(safety / Self.wholeSafety, quiet), most)
    }
}
