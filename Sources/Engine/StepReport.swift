import Core
import KVCache
import Scheduling

/// What one step did and how full the house was after it: what metrics are made of.
public struct StepReport: Sendable, Hashable {
    /// Seconds that the step took, and what the cost model said before it ran.
    public var seconds = 0.0
    public var predictedSeconds = 0.0
    /// Seconds that the scheduler took to decide.
    public var planSeconds = 0.0
    /// Tokens whose keys and values were computed without a token being drawn.
    public var prefillTokens = 0
    /// Prompt tokens of the requests that got a place in this step, and how many of those were there already.
    public var promptTokens = 0
    public var cachedTokens = 0
    /// Tokens that requests which lost their place before will compute again, of those that got one in this step.
    public var recomputedTokens = 0
    /// Position `k - 1`: tokens drawn at `k` chains.
    public var chainTokens: [Int]
    /// Requests that lost their place in this step.
    public var preemptions = 0
    /// Seconds that the requests which got a place in this step had waited for it.
    public var queueSeconds: [Double] = []
    public var waiting = 0
    public var running = 0
    /// Blocks that running requests hold; that idle sessions and the prefix index keep; and of the whole pool.
    public var usedBlocks = 0
    public var cachedBlocks = 0
    public var poolBlocks = 0
    /// Cached blocks that were given to others since the start.
    public var evictions = 0
    /// Sessions in memory.
    public var sessions = 0

    init(chains: Int) {
        chainTokens = Array(repeating: 0, count: chains)
    }
}

/// Hears of every step, on the engine thread: it must be quick and never block.
public protocol StepObserver: Sendable {
    func observe(_ report: StepReport)

    /// A request that was asked to stop is gone, and its blocks are free.
    ///
    /// - Parameter steps: that ended since it was asked to: one when a step was running, none when not.
    func observeCancel(afterSteps steps: Int)
}

extension StepObserver {
    public func observeCancel(afterSteps steps: Int) {}
}
