/// What only the engine knows of itself. The engine thread writes after each step; anybody reads, and nobody waits.
///
/// A series that nothing writes stays 0 and is shown as that.
public final class EngineMetrics: Sendable {
    // MARK: Requests, set after each step

    /// Requests in the batch: those that prefill or decode. One per choice.
    public let running = Gauge()
    /// Requests in the queue, preempted ones among them.
    public let waiting = Gauge()
    /// Requests that lost their place and their blocks to others and went back into the queue.
    public let preemptions = Counter()
    /// From a request's arrival to its first admission.
    public let queueTime = Histogram(bounds: Bounds.queue)

    /// Requests that were asked to stop and were there, by the steps that ended before they were gone: none, one, more.
    let cancels = Counters([0, 1, 2])

    // MARK: Steps

    /// One step: plan, forward pass, sampling, update.
    public let stepTime = Histogram(bounds: Bounds.step)
    /// The scheduler's part of a step: admission, chain counts, plan.
    public let planTime = Histogram(bounds: Bounds.plan)

    // MARK: Prompts

    /// Prompt tokens whose keys and values were computed for the first time.
    public let prefillComputed = Counter()
    /// Prompt tokens that found theirs in the cache.
    public let prefillCached = Counter()
    /// Tokens computed again, because a preemption took their blocks. A change of chains never adds to it.
    public let prefillRecomputed = Counter()

    // MARK: KV blocks, set after each step

    /// Blocks of the pool. Set once.
    public let blocks = Gauge()
    /// Tokens of a block. Set once.
    public let blockTokens = Gauge()
    /// Blocks that running requests hold; one that several share counts once.
    public let blocksUsed = Gauge()
    /// Blocks that no running request holds and that are kept for prefixes and sessions: free for whoever needs them.
    public let blocksCached = Gauge()
    /// Kept blocks that were given to other requests.
    public let blocksEvicted = Counter()

    // MARK: Sessions, by the tiers that hold them; one in two tiers counts in both

    public let sessionsInMemory = Gauge()
    public let sessionsOnDisk = Gauge()
    public let sessionsInRedis = Gauge()

    public init() {}

    /// Counts a request that is gone because it was asked to stop.
    ///
    /// - Parameter steps: that ended in between.
    public func countCancel(afterSteps steps: Int) {
        cancels[min(max(steps, 0), 2)].add()
    }
}
