import API
import Core
import Dispatch
import Engine
import Foundation
import KVCache
import Logging
import Metrics
import Model
import ModelIO
import Redis
import Scheduling
import ServerConfig
import Tensor
import Tokenizer

/// A model folder, opened and checked, and the engine that runs it.
struct LoadedModel: Sendable {
    let tokenizer: BPETokenizer
    let served: ServedModel
    let engine: InferenceEngine
    /// For the log.
    let summary: String

    /// Opens the folder and starts the engine.
    init(_ configuration: ServerConfiguration, metrics: ServerMetrics, log: Logger) throws {
        let folder = configuration.model.path
        let checkpoint = try Checkpoint(folder: folder, chains: configuration.model.maxChains)
        tokenizer = try BPETokenizer(path: folder + "/" + BPETokenizer.fileName)
        guard tokenizer.vocabularySize <= checkpoint.configuration.vocabularySize else {
            throw StartError.vocabulary(
                tokenizer: tokenizer.vocabularySize,
                model: checkpoint.configuration.vocabularySize,
                path: folder
            )
        }
        var fingerprint = ""
        let runtime = try Self.makeRuntime(checkpoint, configuration, fingerprint: &fingerprint)
        let limits = SchedulerLimits(configuration.scheduler, pool: runtime.pool, chains: checkpoint.chainCount)
        metrics.engine.blocks.set(limits.poolBlocks)
        metrics.engine.blockTokens.set(limits.blockTokens)
        served = ServedModel(
            checkpoint,
            tokenizer: tokenizer,
            settings: configuration.model,
            chatTemplate: try ChatTemplate(configuration.model.chatTemplate, folder: folder)
        )
        summary =
            "model \(served.name): \(checkpoint.chainCount) chains, "
            + "\(limits.poolBlocks * limits.blockTokens) tokens of KV cache"
        var options = InferenceEngine.Options(
            limits: limits,
            sessions: .init(count: configuration.sessions.max, timeToLive: configuration.sessions.ttl),
            contextLength: checkpoint.configuration.contextLength
        )
        options.sharesPrefixes = configuration.kvCache.prefixCache
        options.policy = .elastic(ElasticRules(eagerness: configuration.scheduler.eagerness))
        options.calibrationTime = configuration.scheduler.calibration
        options.observer = StepMetrics(metrics.engine)
        options.archive = try Self.makeArchive(
            configuration.sessions,
            checkpoint,
            fingerprint: fingerprint,
            layout: runtime.pool.layout,
            metrics: metrics.redis,
            log: log
        )
        let calibrated = DispatchSemaphore(value: 0)
        engine = InferenceEngine(
            runtime: runtime,
            options: options,
            outbox: DispatchQueue(label: "catena.outbox"),
            ready: { _ in calibrated.signal() }
        )
        calibrated.wait()
    }

    /// The slower tiers of sessions; nil when none is configured.
    private static func makeArchive(
        _ settings: ServerConfiguration.Sessions,
        _ checkpoint: Checkpoint,
        fingerprint: String,
        layout: BlockLayout,
        metrics: RedisMetrics,
        log: Logger
    ) throws -> SessionArchive? {
        let report: @Sendable (String) -> Void = { log.warning("\($0)") }
        var places: [SessionArchive.Place] = []
        if let path = settings.disk.path {
            let folder = try SnapshotFolder(path: path, maxBytes: settings.disk.size, timeToLive: settings.disk.ttl)
            log.info("sessions on disk: \(folder.list().count) in \(path)")
            places.append(.init(DiskTier(folder), pendingLimit: settings.disk.writeBehind))
        }
        let contextLength = checkpoint.configuration.contextLength
        if let place = RedisEndpoint.Place(settings.redis) {
            // What a session's blocks, tokens and texts take at most; the texts are the client's and the model's.
            let maxBytes = layout.blocks(for: contextLength) * layout.blockBytes + contextLength * 4 + (64 << 10)
            let redis = try RedisSnapshots.Settings(settings.redis, place: place, maxBytes: maxBytes)
            let tier = RedisTier(redis, metrics: metrics, now: { SnapshotFolder.systemTime }, report: report)
            log.info("sessions in Redis: \(place), keys \(settings.redis.prefix)*")
            places.append(.init(tier, pendingLimit: settings.redis.writeBehind))
        }
        guard !places.isEmpty else { return nil }
        return SessionArchive(
            places: places,
            identity: SessionArchive.Identity(
                fingerprint: fingerprint,
                layout: layout,
                vocabularySize: checkpoint.configuration.vocabularySize,
                contextLength: contextLength
            ),
            report: report
        )
    }

    private static func makeRuntime(
        _ checkpoint: Checkpoint,
        _ configuration: ServerConfiguration,
        fingerprint: inout String
    ) throws -> sending ModelRuntime {
        let model = try ChainModel(checkpoint, options: ChainModel.Options(configuration))
        fingerprint = model.kvFingerprint
        let settings = configuration.kvCache
        let layout = model.blockLayout(
            type: settings.dtype == .bf16 ? .bf16 : .f32,
            blockTokens: settings.blockTokens
        )
        let memory = availableMemory()
        let bytes = settings.size.bytes(of: memory)
        guard bytes <= memory else { throw StartError.cacheTooLarge(bytes: bytes, memory: memory) }
        let needed = layout.blocks(for: model.maxPositions) * layout.blockBytes
        guard bytes >= needed else { throw StartError.cacheTooSmall(bytes: bytes, neededBytes: needed) }
        return ModelRuntime(model: model, pool: BlockPool(layout: layout, bytes: bytes))
    }
}

extension SchedulerLimits {
    init(_ settings: ServerConfiguration.Scheduler, pool: BlockPool, chains: Int) {
        self.init(
            running: settings.maxRunning,
            queued: settings.maxQueued,
            stepTokens: settings.stepTokens,
            poolBlocks: pool.blockCount,
            blockTokens: pool.layout.blockTokens,
            chains: chains
        )
    }
}

extension ServedModel {
    init(
        _ checkpoint: Checkpoint,
        tokenizer: BPETokenizer,
        settings: ServerConfiguration.Model,
        chatTemplate: ChatTemplate
    ) {
        let model = checkpoint.configuration
        self.init(
            name: settings.name ?? URL(fileURLWithPath: settings.path).standardizedFileURL.lastPathComponent,
            chains: checkpoint.chainCount,
            contextLength: model.contextLength,
            vocabularySize: tokenizer.vocabularySize,
            endTokens: Set(model.eosTokenIDs),
            emptyPromptToken: model.bosTokenID ?? model.eosTokenIDs.first,
            beginningToken: model.bosTokenID,
            chatTemplate: chatTemplate,
            created: Int(Date().timeIntervalSince1970),
            fingerprint: checkpoint.fingerprint,
            quality: model.quality.filter { $0.chains <= checkpoint.chainCount }.map {
                .init(
                    chains: $0.chains,
                    loss: $0.loss,
                    perplexity: $0.perplexity,
                    parameters: $0.parameters ?? model.parameterCount(chains: $0.chains)
                )
            }
        )
    }
}

extension ChainModel.Options {
    init(_ configuration: ServerConfiguration) {
        self.init()
        maxRows = configuration.scheduler.stepTokens
        workers = configuration.compute.threads
        weights =
            switch configuration.model.weights {
            case .copy: .copy
            case .map: .map
            }
        backend =
            switch configuration.compute.backend {
            case .auto: .auto
            case .openblas: .openblas
            case .native: .native
            }
    }
}
