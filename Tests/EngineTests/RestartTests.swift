import Core
import Dispatch
import Engine
import Foundation
import KVCache
import Scheduling
import Testing

/// Sessions outlive the process: one engine after the other over the same folder.
@Suite struct RestartTests {
    private func makeEngine(folder: String) throws -> InferenceEngine {
        let snapshots = try SnapshotFolder(path: folder, maxBytes: 1 << 20, timeToLive: .seconds(600))
        var options = InferenceEngine.Options(
            limits: SchedulerLimits(
                running: 4,
                queued: 10,
                stepTokens: 32,
                poolBlocks: 64,
                blockTokens: 16,
                chains: 4
            ),
            sessions: .init(count: 4, timeToLive: .seconds(60)),
            contextLength: 1024
        )
        options.calibrationTime = .zero
        options.archive = SessionArchive(
            places: [.init(DiskTier(snapshots), pendingLimit: 1 << 20)],
            identity: .init(
                fingerprint: "m",
                layout: PrefixHashModel.layout,
                vocabularySize: PrefixHashModel.vocabularySize,
                contextLength: 1024
            )
        ) { Issue.record("\($0)") }
        return InferenceEngine(
            runtime: ModelRuntime(model: PrefixHashModel(), pool: PrefixHashModel.makePool(blocks: 64)),
            options: options,
            outbox: DispatchQueue(label: "test.outbox")
        )
    }

    private func run(_ engine: InferenceEngine, _ prompt: [TokenID], chains: Int) -> EventLog {
        let log = EventLog()
        engine.submit(
            GenerationRequest(
                id: "r \(prompt.count)",
                prompt: prompt,
                maxTokens: 8,
                chains: .fixed(chains),
                sampling: SamplingParameters(temperature: 0, seed: 0),
                sessionID: "s"
            ),
            to: log
        )
        #expect(log.waitForEnd())
        return log
    }

    private func end(_ engine: InferenceEngine) -> Bool {
        let done = DispatchSemaphore(value: 0)
        engine.whenEnded(queue: .global()) { done.signal() }
        engine.drain()
        return done.wait(timeout: .now() + 10) == .success
    }

    @Test func aSessionGoesOnAfterARestart() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sessions-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }

        var engine = try makeEngine(folder: folder.path)
        #expect(engine.sessionTokens("s", salt: nil).isEmpty)
        let history = prompt(40) + run(engine, prompt(40), chains: 4).tokens.map(\.id)
        #expect(engine.sessionTokens("s", salt: nil) == history)
        #expect(engine.sessionTokens("s", salt: "another").isEmpty)
        #expect(end(engine))

        engine = try makeEngine(folder: folder.path)
        let stored = engine.sessions()
        #expect(stored.map(\.id) == ["s"] && stored.map(\.tiers) == [[.disk]])
        #expect(engine.sessionTokens("s", salt: nil) == history)
        let words = history + prompt(5)
        let log = run(engine, words, chains: 1)
        #expect(log.admission?.cachedTokens == history.count - 1)
        #expect(log.tokens.map(\.id) == PrefixHashModel.answer(to: words, count: 8, chains: 1))
        #expect(engine.sessions().map(\.tiers) == [[.memory, .disk]])

        let deleted = [engine.deleteSession("s"), engine.deleteSession("s")]
        #expect(deleted == [true, false])
        #expect(engine.sessions().isEmpty && engine.sessionTokens("s", salt: nil).isEmpty)
        #expect(end(engine))
    }

    /// The engine writes a session after it has told of the answer's end, and a client may be quick.
    @Test func whatIsDeletedAtOnceStaysDeleted() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sessions-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let engine = try makeEngine(folder: folder.path)
        for _ in 0..<200 {
            _ = run(engine, prompt(40), chains: 1)
            #expect(engine.deleteSession("s"))
            #expect(!engine.deleteSession("s"))
        }
        #expect(engine.sessions().isEmpty)
        #expect(end(engine))
    }
}
