// The engine with one request at a time: what a step costs outside the forward pass.

import Core
import Dispatch
import Engine
import KVCache
import Model
import ModelIO
import Scheduling
import Synchronization

/// Runs requests through the real engine, with a model that notes when each forward pass began and ended.
struct EngineRun {
    private static let promptTokens = 16

    /// Time of whole steps and of their part outside the forward pass, for every chain count, and the memory that serving
    /// takes.
    ///
    /// - Parameters:
    ///   - options: of the model; one is made here, as the engine keeps what it runs.
    ///   - tokens: to decode for every chain count.
    static func measure(
        _ checkpoint: Checkpoint,
        options: ChainModel.Options,
        tokens: Int
    ) throws -> (overhead: [BenchReport.Overhead], memory: BenchReport.Memory?) {
        let log = StepLog()
        let runtime = try makeRuntime(checkpoint, options: options, tokens: promptTokens + tokens, log: log)
        let pool = runtime.pool.byteCount
        let limits = SchedulerLimits(
            running: 1,
            queued: 0,
            stepTokens: options.maxRows,
            poolBlocks: runtime.pool.blockCount,
            blockTokens: runtime.pool.layout.blockTokens,
            chains: checkpoint.chainCount
        )
        let outbox = DispatchQueue(label: "catena.bench")
        var engineOptions = InferenceEngine.Options(
            limits: limits,
            sessions: .init(count: 0, timeToLive: .zero),
            contextLength: promptTokens + tokens
        )
        engineOptions.calibrationTime = .zero
        // Every prompt is the same, and is to be computed.
        engineOptions.sharesPrefixes = false
        let engine = InferenceEngine(runtime: runtime, options: engineOptions, outbox: outbox)
        var overhead: [BenchReport.Overhead] = []
        for chains in 1...checkpoint.chainCount {
            let end = RequestEnd()
            engine.submit(
                GenerationRequest(
                    id: .next(),
                    prompt: (0..<promptTokens).map { TokenID($0 % checkpoint.configuration.vocabularySize) },
                    maxTokens: tokens,
                    chains: .fixed(chains),
                    sampling: SamplingParameters(temperature: 0, seed: 0)
                ),
                to: end
            )
            end.wait()
            overhead.append(log.takeOverhead(chains: chains))
        }
        let memory = ResidentMemory.measure().map { measured in
            BenchReport.Memory(
                anonymous: measured.anonymous,
                weightFiles: measured.weightFiles,
                otherFiles: measured.otherFiles,
                weights: (1...checkpoint.chainCount).reduce(0) { $0 + checkpoint.byteCount(ofChain: $1) },
                pool: pool
            )
        }
        let ended = DispatchSemaphore(value: 0)
        engine.drain()
        engine.whenEnded(queue: outbox) { ended.signal() }
        ended.wait()
        return (overhead, memory)
    }

    private static func makeRuntime(
        _ checkpoint: Checkpoint,
        options: ChainModel.Options,
        tokens: Int,
        log: StepLog
    ) throws -> sending ModelRuntime {
        let model = try ChainModel(checkpoint, options: options)
        let layout = model.blockLayout(type: .bf16)
        let pool = BlockPool(layout: layout, blocks: layout.blocks(for: tokens))
        return ModelRuntime(model: LoggedModel(model: model, log: log), pool: pool)
    }
}

/// When forward passes began and ended.
private final class StepLog: Sendable {
    typealias Pass = (start: ContinuousClock.Instant, end: ContinuousClock.Instant)

    private let passes = Mutex<[Pass]>([])

    func add(_ pass: Pass) { passes.withLock { $0.append(pass) } }

    /// Medians over the passes since the last call, but for the prompt's and the first few.
    func takeOverhead(chains: Int) -> BenchReport.Overhead {
        let passes = passes.withLock { passes in
            defer { passes = [] }
            return passes
        }
        let pairs = zip(passes, passes.dropFirst()).dropFirst(min(4, passes.count / 4))
        return BenchReport.Overhead(
            chains: chains,
            stepSeconds: pairs.map { ($1.start - $0.start) / .seconds(1) }.median(),
            outsideSeconds: pairs.map { ($1.start - $0.end) / .seconds(1) }.median()
        )
    }
}

private struct LoggedModel: LanguageModel {
    let model: ChainModel
    let log: StepLog

    var chainCount: Int { model.chainCount }

    func forward(_ batch: Batch, cache: BlockPool) -> Logits {
        let start = ContinuousClock.now
        let logits = model.forward(batch, cache: cache)
        log.add((start, .now))
        return logits
    }
}

/// Waits for the end of one request.
private final class RequestEnd: GenerationReceiver {
    private let ended = DispatchSemaphore(value: 0)

    func receive(_ events: [GenerationEvent]) {
        for event in events {
            switch event {
            case .admitted, .promptLogprobs, .token: break
            case .finished: ended.signal()
            case .failed(let failure): preconditionFailure("the engine was made for this request: \(failure)")
            }
        }
    }

    func wait() { ended.wait() }
}
