import Core
import Dispatch
import KVCache
import Model
import Scheduling

@testable import Engine

/// A step loop over the fake model, driven by hand.
struct Bench {
    let model = PrefixHashModel()
    let pool: BlockPool
    let directory = SessionDirectory()
    let queue = DispatchQueue(label: "test.outbox")
    var loop: StepLoop
    var now = ContinuousClock.now
    private var made = 0

    init(
        blocks: Int = 64,
        running: Int = 4,
        queued: Int = 64,
        stepTokens: Int = 24,
        sessions: Int = 8,
        sharesPrefixes: Bool = false,
        archive: SessionArchive? = nil
    ) {
        pool = PrefixHashModel.makePool(blocks: blocks)
        loop = StepLoop(
            runtime: ModelRuntime(model: model, pool: pool),
            scheduler: Scheduler(
                limits: SchedulerLimits(
                    running: running,
                    queued: queued,
                    stepTokens: stepTokens,
                    poolBlocks: blocks,
                    blockTokens: PrefixHashModel.layout.blockTokens,
                    chains: model.chainCount
                )
            ),
            memory: KVMemory(
                pool: pool,
                sessions: SessionStore(capacity: sessions, timeToLive: .seconds(60)),
                directory: directory,
                sharesPrefixes: sharesPrefixes
            ),
            outbox: Outbox(queue: queue),
            archive: archive
        )
    }

    /// - Parameter chains: nil leaves them to the scheduler.
    mutating func submit(
        _ prompt: [TokenID],
        max: Int = 8,
        min: Int = 0,
        chains: Int? = 4,
        sampling: SamplingParameters = SamplingParameters(temperature: 0, seed: 0),
        session: String? = nil,
        endTokens: Set<TokenID> = [],
        logprobs: Int? = nil,
        promptLogprobs: Bool = false,
        budget: LatencyBudget = .none,
        priority: Int = 0,
        salt: String? = nil,
        leader: RequestID? = nil
    ) -> (id: RequestID, log: EventLog) {
        made += 1
        let log = EventLog()
        let id: RequestID = "r\(made)"
        loop.submit(
            GenerationRequest(
                id: id,
                prompt: prompt,
                maxTokens: max,
                minTokens: min,
                chains: chains.map { .fixed($0) } ?? .auto,
                sampling: sampling,
                endTokens: endTokens,
                logprobs: logprobs,
                promptLogprobs: promptLogprobs,
                sessionID: session,
                arrival: now,
                budget: budget,
                priority: priority,
                cacheSalt: salt,
                leader: leader
            ),
            to: log,
            now: now
        )
        return (id, log)
    }

    mutating func step() {
        loop.step(now: now)
        queue.sync {}
    }

    mutating func runUntilIdle() {
        while !loop.isIdle { step() }
        step()
    }
}

/// Tokens that repeat only after the whole vocabulary.
func prompt(_ count: Int, from first: Int = 1) -> [TokenID] {
    (0..<count).map { TokenID((first + $0 * 7) % PrefixHashModel.vocabularySize) }
}
