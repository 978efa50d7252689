import Core
import Dispatch
import Foundation
import KVCache
import Model
import ModelIO
import Scheduling
import Testing

@testable import Engine

/// The promise that sessions rest on, with a real model: keys and values do not know the chain count.
@Suite struct SessionKVTests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/models/air-4-long-f32").path

    /// A step loop over a checkpoint, which runs one request after the other in one session.
    private final class Conversation {
        let pool: BlockPool
        private let queue = DispatchQueue(label: "test.outbox")
        private var loop: StepLoop
        private var count = 0

        init(stepTokens: Int) throws {
            let model = try ChainModel(Checkpoint(folder: SessionKVTests.folder))
            pool = BlockPool(layout: model.blockLayout(), blocks: 40)
            loop = StepLoop(
                runtime: ModelRuntime(model: model, pool: pool),
                scheduler: Scheduler(
                    limits: SchedulerLimits(
                        running: 4,
                        queued: 4,
                        stepTokens: stepTokens,
                        poolBlocks: 40,
                        blockTokens: pool.layout.blockTokens,
                        chains: model.chainCount
                    )
                ),
                memory: KVMemory(
                    pool: pool,
                    sessions: SessionStore(capacity: 4, timeToLive: .seconds(60)),
                    directory: SessionDirectory(),
                    sharesPrefixes: false
                ),
                outbox: Outbox(queue: queue)
            )
        }

        func run(_ prompt: [TokenID], max: Int, chains: Int) -> EventLog {
            count += 1
            let log = EventLog()
            let request = GenerationRequest(
                id: "r\(count)",
                prompt: prompt,
                maxTokens: max,
                chains: .fixed(chains),
                sampling: SamplingParameters(temperature: 0, seed: 0),
                sessionID: "s"
            )
            loop.submit(request, to: log, now: .now)
            while !loop.isIdle { loop.step(now: .now) }
            queue.sync {}
            return log
        }

        /// The session's tokens that have keys and values, and the bytes of their blocks.
        func kept() throws -> (tokens: [TokenID], bytes: [[UInt8]]) {
            let session = try #require(loop.memory.sessions["s"])
            return (
                Array(session.tokens.prefix(session.table.tokenCount)),
                session.table.blocks.map { Array(pool.bytes(of: $0)) }
            )
        }
    }

    /// Three requests at 4, 1 and 3 chains leave the bytes that prefilling the same tokens at one size leaves.
    @Test(arguments: [1, 2, 4]) func aSessionOfThreeSizesHasTheBytesOfOne(size: Int) throws {
        let mixed = try Conversation(stepTokens: 16)
        var history = (0..<45).map { TokenID(($0 * 37 + 5) % 96) }
        var known = 0
        for chains in [4, 1, 3] {
            let log = mixed.run(history, max: 12, chains: chains)
            #expect(log.admission?.cachedTokens == max(0, known - 1))
            #expect(log.tokens.map(\.chains) == Array(repeating: chains, count: 12))
            history += log.tokens.map(\.id)
            known = history.count
            history += [7, TokenID(chains)]
        }
        let kept = try mixed.kept()
        #expect(kept.tokens.count == known - 1)

        let single = try Conversation(stepTokens: 64)
        _ = single.run(kept.tokens, max: 1, chains: size)
        let same = try single.kept()
        #expect(same.tokens == kept.tokens)
        #expect(same.bytes == kept.bytes)
    }
}
