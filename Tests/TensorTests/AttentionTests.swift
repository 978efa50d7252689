// Paged attention against its oracle, and that a head's bits depend on nothing but its own context.

import Tensor
import Testing

@Suite struct AttentionTests {
    /// A cache of one layer written by `storeKV`, with the values it really holds after rounding.
    final class Cache {
        let memory: AlignedBuffer<UInt8>
        let table: [Int32]
        let keys: [[Float]]
        let values: [[Float]]
        let head: PagedHead

        init(
            _ kernels: Kernels,
            tokens: Int,
            headSize: Int,
            blockTokens: Int,
            type: ElementType,
            samples: inout Samples
        ) {
            let blocks = (tokens + blockTokens - 1) / blockTokens
            let side = blockTokens * headSize * type.byteCount
            let (keyOffset, valueOffset, blockBytes) = (16, 16 + side + 6, 2 * side + 40)
            // Garbage where nothing is written: not-a-numbers must not get into a result.
            memory = AlignedBuffer(count: (blocks + 1) * blockBytes)
            memory.elements.update(repeating: 0xff)
            table = (0..<Int32(blocks)).map { Int32(blocks) - $0 }  // in falling order, block 0 unused
            let rows = samples.rows(2 * tokens, headSize)
            let rounded = StoredMatrix(rows, type: type).values
            for token in 0..<tokens {
                let block = UnsafeMutableRawPointer(memory.pointer) + Int(table[token / blockTokens]) * blockBytes
                kernels.storeKV(
                    keys: block + keyOffset,
                    values: block + valueOffset,
                    type: type,
                    slot: token % blockTokens,
                    key: rows[token],
                    value: rows[tokens + token],
                    headSize: headSize
                )
            }
            keys = Array(rounded.prefix(tokens))
            values = Array(rounded.suffix(tokens))
            head = PagedHead(
                blocks: UnsafeRawPointer(memory.pointer),
                blockBytes: blockBytes,
                blockTokens: blockTokens,
                type: type,
                keyOffset: keyOffset,
                valueOffset: valueOffset
            )
        }
    }

    /// Heads lie as in a model with 3 KV heads: every third is of this one.
    static func attend(_ kernels: Kernels, _ queries: [[Float]], over cache: Cache, context: Int) -> [[Float]] {
        let headSize = queries[0].count, stride = 3 * headSize
        let input = AlignedBuffer<Float>(count: queries.count * stride)
        let output = AlignedBuffer<Float>(count: queries.count * stride)
        output.elements.update(repeating: -77)
        for (h, query) in queries.enumerated() {
            for (d, value) in query.enumerated() { input[h * stride + d] = value }
        }
        let scores = AlignedBuffer<Float>(count: queries.count * ((context + 15) / 16 * 16))
        kernels.attention(
            query: input.pointer,
            output: output.pointer,
            headStride: stride,
            heads: queries.count,
            headSize: headSize,
            context: context,
            cache: cache.head,
            blockTable: cache.table,
            scores: scores.pointer
        )
        return queries.indices.map { h in
            let all = output.elements[h * stride..<(h + 1) * stride]
            #expect(all.dropFirst(headSize).allSatisfy { $0 == -77 }, "wrote beyond the head")
            return Array(all.prefix(headSize))
        }
    }

    @Test(arguments: Kernels.available, [ElementType.f32, .bf16])
    func agreesWithTheOracle(kernels: Kernels, type: ElementType) {
        var samples = Samples(seed: 1)
        for (headSize, blockTokens) in [(2, 16), (6, 16), (16, 16), (24, 32), (32, 16), (64, 16), (128, 64)] {
            let cache = Cache(
                kernels,
                tokens: 150,
                headSize: headSize,
                blockTokens: blockTokens,
                type: type,
                samples: &samples
            )
            for heads in [1, 2, 3, 4] {
                let queries = samples.rows(heads, headSize).map { $0.map { $0 * 4 } }
                for context in [1, 2, 5, 15, 16, 17, 33, 150] {
                    let got = Self.attend(kernels, queries, over: cache, context: context)
                    for (query, got) in zip(queries, got) {
                        let expected = ScalarOracle.attention(
                            query: query,
                            keys: Array(cache.keys.prefix(context)),
                            values: Array(cache.values.prefix(context))
                        )
                        #expect(difference(expected, got) < 2e-6, "\(heads) heads of \(headSize), context \(context)")
                    }
                }
            }
        }
    }

    /// Chain 1 must not see whether other chains' heads are computed with its own.
    @Test(arguments: Kernels.available, [ElementType.f32, .bf16])
    func aHeadIsTheSameBitsWithAnyOthers(kernels: Kernels, type: ElementType) {
        var samples = Samples(seed: 2)
        let cache = Cache(kernels, tokens: 77, headSize: 40, blockTokens: 16, type: type, samples: &samples)
        let queries = samples.rows(5, 40)
        for context in [1, 16, 30, 77] {
            let alone = queries.map { Self.attend(kernels, [$0], over: cache, context: context)[0] }
            for heads in 2...5 {
                let got = Self.attend(kernels, Array(queries.prefix(heads)), over: cache, context: context)
                #expect(got == Array(alone.prefix(heads)))
            }
        }
    }

    /// Later tokens, which may be in the same block, are not looked at.
    @Test(arguments: Kernels.available)
    func dependsOnItsContextOnly(kernels: Kernels) {
        var long = Samples(seed: 3)
        let cache = Cache(kernels, tokens: 40, headSize: 16, blockTokens: 16, type: .f32, samples: &long)
        let query = long.rows(1, 16)
        for context in 1...40 {
            let before = Self.attend(kernels, query, over: cache, context: context)
            let tail = UnsafeMutableRawPointer(cache.memory.pointer)
            for token in context..<40 {
                let block = tail + Int(cache.table[token / 16]) * cache.head.blockBytes
                let nan = Array(repeating: Float.nan, count: 16)
                kernels.storeKV(
                    keys: block + cache.head.keyOffset,
                    values: block + cache.head.valueOffset,
                    type: .f32,
                    slot: token % 16,
                    key: nan,
                    value: nan,
                    headSize: 16
                )
            }
            #expect(Self.attend(kernels, query, over: cache, context: context) == before)
            for token in context..<40 {
                let block = tail + Int(cache.table[token / 16]) * cache.head.blockBytes
                kernels.storeKV(
                    keys: block + cache.head.keyOffset,
                    values: block + cache.head.valueOffset,
                    type: .f32,
                    slot: token % 16,
                    key: cache.keys[token],
                    value: cache.values[token],
                    headSize: 16
                )
            }
        }
    }

    @Test(arguments: Kernels.available)
    func largeScoresDoNotOverflow(kernels: Kernels) {
        var samples = Samples(seed: 4)
        let cache = Cache(kernels, tokens: 20, headSize: 16, blockTokens: 16, type: .f32, samples: &samples)
        let query = samples.rows(1, 16).map { $0.map { $0 * 1e4 } }
        let got = Self.attend(kernels, query, over: cache, context: 20)[0]
        #expect(difference(got, ScalarOracle.attention(query: query[0], keys: cache.keys, values: cache.values)) < 1e-5)
    }
}
