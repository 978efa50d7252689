import Core
import Dispatch
import Foundation
import KVCache
import Model
import ModelIO
import Scheduling
import TestSupport
import Testing

@testable import Engine

/// An answer is the same alone, in any company, after a cached prefix, on any number of threads, however its prompt is cut.
@Suite struct BatchInvarianceTests {
    static let fixtures = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/models").path

    /// A step loop over a checkpoint.
    private final class Server {
        private let queue = DispatchQueue(label: "test.outbox")
        private var loop: StepLoop
        private let vocabulary: Int
        let chains: Int

        init(_ fixture: String, workers: Int, stepTokens: Int = 48) throws {
            var options = ChainModel.Options()
            options.workers = workers
            let model = try ChainModel(
                Checkpoint(folder: "\(BatchInvarianceTests.fixtures)/\(fixture)"),
                options: options
            )
            let pool = BlockPool(layout: model.blockLayout(type: .bf16), blocks: 400)
            vocabulary = model.configuration.vocabularySize
            chains = model.chainCount
            loop = StepLoop(
                runtime: ModelRuntime(model: model, pool: pool),
                scheduler: Scheduler(
                    limits: SchedulerLimits(
                        running: 40,
                        queued: 40,
                        stepTokens: stepTokens,
                        poolBlocks: 400,
                        blockTokens: pool.layout.blockTokens,
                        chains: model.chainCount
                    )
                ),
                memory: KVMemory(
                    pool: pool,
                    sessions: SessionStore(capacity: 4, timeToLive: .seconds(60)),
                    directory: SessionDirectory(),
                    sharesPrefixes: true
                ),
                outbox: Outbox(queue: queue)
            )
        }

        /// The request that is watched: seeded, with every rule, or greedy.
        func watched(greedy: Bool, session: String? = nil) -> GenerationRequest {
            var ruled = SamplingParameters(temperature: 0.9, topP: 0.95, typicalP: 0.9, seed: 11)
            ruled.repetitionPenalty = 1.1
            ruled.presencePenalty = 0.5
            ruled.frequencyPenalty = 0.25
            ruled.bias = [3: 1.5, 8: -2]
            return GenerationRequest(
                id: "watched",
                prompt: (0..<70).map { TokenID(($0 * 37 + 5) % vocabulary) },
                maxTokens: 20,
                minTokens: 10,
                chains: .fixed(chains - 1),
                sampling: greedy ? SamplingParameters(temperature: 0, seed: 11) : ruled,
                sessionID: session
            )
        }

        /// Runs it with `others` that come before and after it, with prompts, sizes and seeds of their own.
        func run(_ request: GenerationRequest, others: Int, seed: UInt64 = 1) -> [TokenID] {
            var random = SeededGenerator(seed: seed)
            let log = EventLog()
            for number in 0..<others {
                if number == others / 2 { loop.submit(request, to: log, now: .now) }
                if number.isMultiple(of: 3) { loop.step(now: .now) }  // some are ahead of others
                let other = GenerationRequest(
                    id: "other \(number)",
                    prompt: (0..<Int.random(in: 1...90, using: &random)).map { _ in
                        TokenID(Int.random(in: 0..<vocabulary, using: &random))
                    },
                    maxTokens: Int.random(in: 1...25, using: &random),
                    chains: .fixed(Int.random(in: 1...chains, using: &random)),
                    sampling: SamplingParameters(temperature: 1, seed: UInt64(number))
                )
                loop.submit(other, to: EventLog(), now: .now)
            }
            if others == 0 { loop.submit(request, to: log, now: .now) }
            while !loop.isIdle { loop.step(now: .now) }
            queue.sync {}
            return log.tokens.map(\.id)
        }
    }

    @Test(arguments: ["air-4-untied-f32", "air-4-bf16", "air-unequal-untied-bf16"], [true, false])
    func theSameAnswerInAnyCompany(fixture: String, greedy: Bool) throws {
        let server = try Server(fixture, workers: 2)
        let alone = server.run(server.watched(greedy: greedy), others: 0)
        #expect(alone.count == 20)
        for others in [1, 2, 5, 11, 16, 31] {
            for seed: UInt64 in [1, 2] {
                let got = server.run(server.watched(greedy: greedy), others: others, seed: seed)
                #expect(got == alone, "with \(others) others, seed \(seed)")
            }
        }
        // The second of two equal requests of a session finds the first one's keys and values.
        for _ in 0..<2 {
            #expect(
                server.run(server.watched(greedy: greedy, session: "s"), others: 3) == alone,
                "with a cached prefix"
            )
        }
        for (workers, stepTokens) in [(1, 48), (2, 41), (3, 200)] {
            let other = try Server(fixture, workers: workers, stepTokens: stepTokens)
            #expect(
                other.run(other.watched(greedy: greedy), others: 7) == alone,
                "\(workers) threads, \(stepTokens) a step"
            )
        }
    }
}
