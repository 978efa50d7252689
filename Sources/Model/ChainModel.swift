// CoLM-Air: the model and its memory. What a pass computes is in ForwardPass.swift.
//
// Architecture: "Chain-of-Model Learning for Language Model", arXiv 2505.11820.

import Core
import KVCache
import ModelIO
import Tensor

/// A CoLM-Air decoder over the first `k` chains of a checkpoint.
///
/// ```
/// let model = try ChainModel(Checkpoint(folder: "model"))
/// let cache = BlockPool(layout: model.blockLayout(), blocks: 64)
/// var table = BlockTable()
/// guard cache.append(prompt.count, to: &table) else { ... }
/// let batch = Batch(segments: [Segment(tokens: prompt, start: 0, blocks: table.blocks, chains: 2, logits: .last)])
/// let logits = model.forward(batch, cache: cache)   // 1 row of V
/// ```
///
/// Rows of all kinds share one pass over the weights: chain `i` of a layer works on the rows that have chain `i`. A prompt
/// token is a row of one chain that wants no logits; it stops in the last layer as soon as its key and value are
/// written. A row's keys and values are a function of chain 1 alone, so they are the same bytes for every chain count, and
/// a row's results are the same bits whatever else is in the batch (see ``ComputeBackend/openblas`` for the exception).
///
/// Not Sendable: one thread runs it (the engine's) and it forks over its worker pool.
public final class ChainModel {
    public struct Options: Sendable {
        /// The most rows of one batch; activations are sized for them.
        public var maxRows = 512
        /// The most positions of a sequence; nil is the model's own context length.
        public var maxPositions: Int?
        public var backend = ComputeBackend.auto
        public var kernels = Kernels.active
        /// Where the matrices of a packed checkpoint are read from.
        public var weights = WeightPlacement.copy
        /// Threads that compute, with the caller; nil is one per processor.
        public var workers: Int?

        public init() {}
    }

    public let configuration: ModelConfiguration
    /// Chains that are loaded, 1...n.
    public let chainCount: Int
    public let maxRows: Int
    public let maxPositions: Int
    public let kernels: Kernels
    /// ``Checkpoint/fingerprint``: of the weights that keys and values are computed with.
    let checkpointFingerprint: String
    /// Whether long runs of prompt tokens are multiplied by OpenBLAS.
    public let usesOpenBLAS: Bool

    /// The format of the layers' matrices, and of the head's.
    public var bodyFormat: WeightFormat { weights.bodyFormat }
    public var headFormat: WeightFormat { weights.headFormat }

    let shape: ModelShape
    let weights: ChainWeights
    let scratch: Scratch
    let pool: WorkerPool
    let splits: PassSplits
    private var plan = RowPlan()

    /// - Throws: an error of the checkpoint, if a tensor is missing.
    public init(_ checkpoint: Checkpoint, options: Options = Options()) throws(ModelFileError) {
        precondition(options.maxRows > 0)
        configuration = checkpoint.configuration
        checkpointFingerprint = checkpoint.fingerprint
        chainCount = checkpoint.chainCount
        maxRows = options.maxRows
        maxPositions = options.maxPositions ?? configuration.contextLength
        shape = ModelShape(configuration, chains: chainCount)
        pool = WorkerPool(workers: options.workers)
        weights = try ChainWeights(checkpoint, placement: options.weights, pool: pool)
        let isFloat = !weights.bodyFormat.isInteger && !weights.headFormat.isInteger
        usesOpenBLAS =
            isFloat && (options.backend == .openblas || (options.backend == .auto && !options.kernels.areVectorised))
        // OpenBLAS multiplies f32, so its few rows must not be rounded to bf16.
        kernels = usesOpenBLAS ? options.kernels.multiplyingInF32 : options.kernels
        scratch = Scratch(
            shape,
            rows: maxRows,
            workers: pool.workers,
            panel: usesOpenBLAS ? WeightFormat.panel * max(shape.width, shape.inner) : 0
        )
        // What sgemm makes of a row depends on the rows with it.
        splits = PassSplits(cutsRows: !usesOpenBLAS)
    }

    /// The blocks that this model's keys and values need.
    public func blockLayout(
        type: ElementType = .f32,
        blockTokens: Int = BlockLayout.defaultBlockTokens
    ) -> BlockLayout {
        BlockLayout(
            layers: shape.layers,
            kvHeads: shape.kvHeads,
            headSize: shape.headSize,
            blockTokens: blockTokens,
            type: type
        )
    }

    /// Runs a batch: writes the keys and values of all its rows into the cache, and computes the logits that it wants.
    ///
    /// - Precondition: at most `maxRows` rows; every token is of the vocabulary; every segment fits `maxPositions` and its
    ///   blocks, which are in use; chain counts are 1...`chainCount`; the cache has this model's layout.
    /// - Returns: the rows that wanted logits, in the batch's order, valid until the next call.
    public func forward(_ batch: Batch, cache: BlockPool) -> Logits {
        check(batch, cache: cache)
        plan.sort(batch, maxChains: chainCount, separatesLongRuns: usesOpenBLAS)
        let end = plan.rows.reduce(0) { max($0, $1.position + 1) }
        scratch.reservePositions(end, most: maxPositions)
        scratch.reserveLogits(rows: plan.wanting, vocabulary: shape.vocabularySize)
        ForwardPass(model: self, plan: plan, cache: cache).run()
        return Logits(
            base: UnsafePointer(scratch.logits.pointer),
            vocabularySize: shape.vocabularySize,
            places: plan.logitsPlaces
        )
    }

    private func check(_ batch: Batch, cache: BlockPool) {
        let layout = cache.layout
        precondition(batch.tokenCount <= maxRows, "\(batch.tokenCount) rows, at most \(maxRows) fit")
        precondition(
            layout == blockLayout(type: layout.type, blockTokens: layout.blockTokens),
            "the cache was laid out for another model"
        )
        for segment in batch.segments {
            let end = segment.start + segment.tokens.count
            precondition(!segment.tokens.isEmpty && segment.start >= 0, "a segment needs tokens")
            precondition(end <= maxPositions, "\(end) positions, at most \(maxPositions) fit")
            precondition(segment.blocks.count >= layout.blocks(for: end), "\(end) tokens do not fit the block table")
            precondition((1...chainCount).contains(segment.chains), "\(segment.chains) chains of \(chainCount)")
            for token in segment.tokens {
                precondition(token >= 0 && token < shape.vocabularySize, "token \(token) is not in the vocabulary")
            }
            for block in segment.blocks {
                precondition(block >= 0 && block < cache.blockCount, "block \(block) is not in the pool")
            }
        }
    }
}
