import KVCache
import Model

/// The forward pass as the engine needs it; the chain model in the product, a fake in tests.
public protocol LanguageModel {
    /// Chains that are loaded.
    var chainCount: Int { get }

    /// Computes a batch, writing K and V into the pool's blocks.
    ///
    /// - Returns: the logits of the rows that wanted some, in the batch's order; valid until the next call.
    func forward(_ batch: Batch, cache: BlockPool) -> Logits
}

extension ChainModel: LanguageModel {}

/// A model and the memory of its keys and values: what one engine thread runs on.
public struct ModelRuntime {
    public var model: any LanguageModel
    public var pool: BlockPool

    public init(model: any LanguageModel, pool: BlockPool) {
        self.model = model
        self.pool = pool
    }
}
