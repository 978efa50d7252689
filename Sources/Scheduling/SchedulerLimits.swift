/// The room the scheduler has.
public struct SchedulerLimits: Sendable, Hashable {
    /// The most requests in the running batch.
    public var running: Int
    /// The most requests that wait for a place; one more is refused.
    public var queued: Int
    /// The most tokens computed in one step, so that a long prefill delays no decoded token by more than this.
    public var stepTokens: Int
    /// KV blocks in the pool.
    public var poolBlocks: Int
    /// Tokens in a KV block.
    public var blockTokens: Int
    /// Chains of the loaded model.
    public var chains: Int

    /// - Precondition: all are positive (`queued` may be 0), and `stepTokens >= running`, so that every running
    ///   request gets its token in every step.
    public init(running: Int, queued: Int, stepTokens: Int, poolBlocks: Int, blockTokens: Int, chains: Int) {
        precondition(running > 0 && queued >= 0 && stepTokens >= running)
        precondition(poolBlocks > 0 && blockTokens > 0 && chains > 0)
        self.running = running
        self.queued = queued
        self.stepTokens = stepTokens
        self.poolBlocks = poolBlocks
        self.blockTokens = blockTokens
        self.chains = chains
    }
}
