// Where a token's key and value are inside a block of the KV cache.

import Tensor

/// The shape of one KV block: `blockTokens` tokens of every layer, in one run of bytes.
///
/// ```
/// f32:  [layers] x { keys [kvHeads][blockTokens / 16][headSize][16],
///                    values [kvHeads][blockTokens][headSize] }
/// bf16: [layers] x { keys [kvHeads][blockTokens / 16][headSize / 2][16][2 dimensions],
///                    values [kvHeads][blockTokens / 2][headSize][2 tokens] }
/// ```
///
/// A block holds all layers, so that a snapshot, a second tier or a copy moves one run of bytes. Inside a layer a head's keys
/// are contiguous, because attention walks one KV head at a time. Keys are transposed in groups of 16 tokens: a vector lane
/// is a token, and 16 scores are computed with no sum across lanes. Values are not: there a lane is a dimension. A lane has
/// room for two bf16, and processors that multiply them add two products at once: so they come in pairs.
///
/// The layout is part of the snapshot format; changing it means a new format version.
public struct BlockLayout: Sendable, Hashable {
    public let layers: Int
    public let kvHeads: Int
    public let headSize: Int
    /// Tokens of a block, a multiple of 16.
    public let blockTokens: Int
    /// f32 or bf16.
    public let type: ElementType

    public static let defaultBlockTokens = 16

    public init(
        layers: Int,
        kvHeads: Int,
        headSize: Int,
        blockTokens: Int = BlockLayout.defaultBlockTokens,
        type: ElementType = .f32
    ) {
        precondition(layers > 0 && kvHeads > 0 && headSize > 0)
        precondition(
            blockTokens > 0 && blockTokens.isMultiple(of: Kernels.tokenGroup),
            "\(blockTokens) tokens a block: must be a multiple of \(Kernels.tokenGroup)"
        )
        precondition(type != .f16, "keys and values are f32 or bf16")
        self.layers = layers
        self.kvHeads = kvHeads
        self.headSize = headSize
        self.blockTokens = blockTokens
        self.type = type
    }

    /// Bytes of a block.
    public var blockBytes: Int { layers * 2 * sideBytes }

    /// Bytes of one token's keys and values in all layers.
    public var tokenBytes: Int { blockBytes / blockTokens }

    /// Blocks that `tokens` tokens of one sequence take.
    public func blocks(for tokens: Int) -> Int { (tokens + blockTokens - 1) / blockTokens }

    /// Bytes from a block's start to the keys of one head.
    public func keyOffset(layer: Int, head: Int) -> Int { layer * 2 * sideBytes + head * headBytes }

    /// Bytes from a block's start to the values of one head.
    public func valueOffset(layer: Int, head: Int) -> Int { keyOffset(layer: layer, head: head) + sideBytes }

    /// Element `dimension` of the key of the token in `slot`, counted from the head's first key.
    public func keyElement(slot: Int, dimension: Int) -> Int {
        let group = Kernels.tokenGroup, pair = elementsPerLane
        let lane = (slot / group * headSize / pair + dimension / pair) * group + slot % group
        return lane * pair + dimension % pair
    }

    /// Element `dimension` of the value of the token in `slot`, counted from the head's first value.
    public func valueElement(slot: Int, dimension: Int) -> Int {
        let pair = elementsPerLane
        return (slot / pair * headSize + dimension) * pair + slot % pair
    }

    private var elementsPerLane: Int { type == .bf16 ? 2 : 1 }

    private var headBytes: Int { blockTokens * headSize * type.byteCount }
    /// The keys, or the values, of one layer.
    private var sideBytes: Int { kvHeads * headBytes }
}
