import API
import Core
import Dispatch
import Engine
import Foundation
import KVCache
import Model
import ModelIO
import Scheduling
import ServerConfig
import Tensor
import Tokenizer

/// A model folder, opened and checked, with everything that the engine is made of.
struct LoadedModel: ~Copyable {
    let tokenizer: BPETokenizer
    let served: ServedModel
    /// For the log.
    let summary: String
    private let model: ChainModel
    private let pool: BlockPool

    init(_ configuration: ServerConfiguration) throws {
        let folder = configuration.model.path
        let checkpoint = try Checkpoint(folder: folder, chains: configuration.model.maxChains)
        let settings = checkpoint.configuration
        tokenizer = try BPETokenizer(path: folder + "/" + BPETokenizer.fileName)
        guard tokenizer.vocabularySize <= settings.vocabularySize else {
            throw StartError.vocabulary(
                tokenizer: tokenizer.vocabularySize,
                model: settings.vocabularySize,
                path: folder
            )
        }
        model = try ChainModel(checkpoint, options: ChainModel.Options(configuration))
        pool = try Self.makePool(for: model, configuration.kvCache)
        served = ServedModel(
            name: configuration.model.name ?? URL(fileURLWithPath: folder).standardizedFileURL.lastPathComponent,
            chains: checkpoint.chainCount,
            contextLength: settings.contextLength,
            vocabularySize: tokenizer.vocabularySize,
            endTokens: Set(settings.eosTokenIDs),
            emptyPromptToken: settings.bosTokenID ?? settings.eosTokenIDs.first,
            created: Int(Date().timeIntervalSince1970),
            fingerprint: checkpoint.fingerprint,
            quality: settings.quality.filter { $0.chains <= checkpoint.chainCount }.map {
                .init(
                    chains: $0.chains,
                    loss: $0.loss,
                    perplexity: $0.perplexity,
                    parameters: $0.parameters ?? settings.parameterCount(chains: $0.chains)
                )
            }
        )
        let parameters = settings.parameterCount(chains: checkpoint.chainCount)
        summary =
            "model \(served.name): \(checkpoint.chainCount) chains, \(parameters) parameters, "
            + "\(pool.blockCount * pool.layout.blockTokens) tokens of KV cache, \(model.kernels.name) kernels"
    }

    /// The pool that the configuration asks for.
    private static func makePool(for model: ChainModel, _ settings: ServerConfiguration.KVCache) throws -> BlockPool {
        let layout = model.blockLayout(
            type: settings.dtype == .bf16 ? .bf16 : .f32,
            blockTokens: settings.blockTokens
        )
        let bytes = settings.size.bytes(of: Int(ProcessInfo.processInfo.physicalMemory))
        let needed = layout.blocks(for: model.maxPositions) * layout.blockBytes
        guard bytes >= needed else { throw StartError.cacheTooSmall(bytes: bytes, neededBytes: needed) }
        return BlockPool(layout: layout, bytes: bytes)
    }

    /// Starts the engine, which owns model and pool from then on.
    consuming func makeEngine(_ configuration: ServerConfiguration) -> InferenceEngine {
        let limits = SchedulerLimits(
            running: configuration.scheduler.maxRunning,
            queued: configuration.scheduler.maxQueued,
            stepTokens: configuration.scheduler.stepTokens,
            poolBlocks: pool.blockCount,
            blockTokens: pool.layout.blockTokens,
            chains: model.chainCount
        )
        return InferenceEngine(
            model: model,
            pool: pool,
            limits: limits,
            sessions: .init(count: configuration.sessions.max, timeToLive: configuration.sessions.ttl),
            outbox: DispatchQueue(label: "catena.outbox", qos: .userInitiated)
        )
    }
}

extension ChainModel.Options {
    init(_ configuration: ServerConfiguration) {
        self.init()
        maxRows = configuration.scheduler.stepTokens
        workers = configuration.compute.threads
        backend =
            switch configuration.compute.backend {
            case .auto: .auto
            case .openblas: .openblas
            case .native: .native
            }
    }
}
