// Attention over a paged cache: where a head's keys and values are, and the call.

import CKernels

/// One KV head of one layer in a pool of blocks: where its keys and values are in every block.
public struct PagedHead {
    /// First byte of block 0.
    public var blocks: UnsafeRawPointer
    public var blockBytes: Int
    /// A multiple of ``Kernels/tokenGroup``.
    public var blockTokens: Int
    /// f32 or bf16.
    public var type: ElementType
    /// Bytes from a block's start to the head's keys, `[blockTokens / 16][headSize][16]`.
    public var keyOffset: Int
    /// Bytes from a block's start to the head's values, `[blockTokens][headSize]`.
    public var valueOffset: Int

    public init(
        blocks: UnsafeRawPointer,
        blockBytes: Int,
        blockTokens: Int,
        type: ElementType,
        keyOffset: Int,
        valueOffset: Int
    ) {
        self.blocks = blocks
        self.blockBytes = blockBytes
        self.blockTokens = blockTokens
        self.type = type
        self.keyOffset = keyOffset
        self.valueOffset = valueOffset
    }
}

extension Kernels {
    /// Queries (a query is one head of one row) that ``attention`` computes together: runs of so many make the most of it.
    public static let attentionQueries = Int(CK_ATTENTION_QUERIES)

    /// Floats of scratch that ``attention`` needs, whatever the rows, heads and context.
    public static func attentionScratch(headSize: Int) -> Int {
        attentionQueries * (headSize + Int(CK_ATTENTION_SCORES))
    }

    /// Attention of a run of rows, consecutive tokens of one sequence, for the query heads that tile onto one KV head:
    /// `softmax(q K^T / sqrt(headSize)) V`. The first row attends to positions `0..<context`, every further one to one more.
    ///
    /// - Parameters:
    ///   - query: the first row's first head, `[headSize]`, RoPE applied; the next heads are `headStride` floats further on,
    ///     the next row `rowStride`
    ///   - output: where its result goes; rows and heads lie as in `query`
    ///   - headSize: even
    ///   - blockTable: the blocks of the sequence, in order, enough for the last row's context
    ///   - scratch: ``attentionScratch(headSize:)`` floats
    @inline(__always)
    public func attention(
        query: UnsafePointer<Float>,
        output: UnsafeMutablePointer<Float>,
        rowStride: Int,
        headStride: Int,
        rows: Int,
        heads: Int,
        headSize: Int,
        context: Int,
        cache: PagedHead,
        blockTable: UnsafePointer<Int32>,
        scratch: UnsafeMutablePointer<Float>
    ) {
        var arguments = ck_attention(
            query: query,
            output: output,
            row_stride: rowStride,
            head_stride: headStride,
            rows: Int32(rows),
            heads: Int32(heads),
            head_dim: Int32(headSize),
            context: Int32(context),
            scale: 1 / Float(headSize).squareRoot(),
            blocks: cache.blocks.assumingMemoryBound(to: CChar.self),
            block_bytes: cache.blockBytes,
            block_table: blockTable,
            block_tokens: Int32(cache.blockTokens),
            dtype: cache.type.cValue,
            key_offset: cache.keyOffset,
            value_offset: cache.valueOffset,
            scratch: scratch
        )
        table.pointee.attention(&arguments)
    }
}
