// Paged attention against its oracle, and that a query's bits depend on nothing but its own context.

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
            for token in 0..<tokens { write(kernels, token: token, key: rows[token], value: rows[tokens + token]) }
        }

        func write(_ kernels: Kernels, token: Int, key: [Float], value: [Float]) {
            let (place, slot) = token.quotientAndRemainder(dividingBy: head.blockTokens)
            let block = UnsafeMutableRawPointer(memory.pointer) + Int(table[place]) * head.blockBytes
            kernels.storeKV(
                keys: block + head.keyOffset,
                values: block + head.valueOffset,
                type: head.type,
                slot: slot,
                key: key,
                value: value,
                headSize: key.count
            )
        }
    }

    /// Rows of equally many heads; the first attends to `context` tokens, the next to one more. Heads lie as in a model with 3
    /// KV heads: every third is of this one.
    static func attend(_ kernels: Kernels, rows: [[[Float]]], over cache: Cache, context: Int) -> [[[Float]]] {
        let heads = rows[0].count, headSize = rows[0][0].count, stride = 3 * headSize
        let rowStride = heads * stride + 5
        let input = AlignedBuffer<Float>(count: rows.count * rowStride)
        let output = AlignedBuffer<Float>(count: rows.count * rowStride)
        let scratch = AlignedBuffer<Float>(count: Kernels.attentionScratch(headSize: headSize) + 1)
        output.elements.update(repeating: -77)
        scratch.elements.update(repeating: .nan)
        for (r, row) in rows.enumerated() {
            for (h, query) in row.enumerated() {
                for (d, value) in query.enumerated() { input[r * rowStride + h * stride + d] = value }
            }
        }
        scratch[scratch.count - 1] = -77
        kernels.attention(
            query: input.pointer,
            output: output.pointer,
            rowStride: rowStride,
            headStride: stride,
            rows: rows.count,
            heads: heads,
            headSize: headSize,
            context: context,
            cache: cache.head,
            blockTable: cache.table,
            scratch: scratch.pointer
        )
        let results = rows.indices.map { r in
            (0..<heads).map { h in
                let first = r * rowStride + h * stride
                defer { output.elements[first..<first + headSize].update(repeating: -77) }
                return Array(output.elements[first..<first + headSize])
            }
        }
        #expect(output.elements.allSatisfy { $0 == -77 }, "wrote beyond the heads")
        #expect(scratch[scratch.count - 1] == -77, "wrote beyond the scratch")
        return results
    }

    /// One row.
    static func attend(_ kernels: Kernels, _ queries: [[Float]], over cache: Cache, context: Int) -> [[Float]] {
        attend(kernels, rows: [queries], over: cache, context: context)[0]
    }

    /// Whether the result for a query is the oracle's. Kernels that multiply pairs of bf16 round the scaled query, which is
    /// exactly foreseen, and the weights of the values, each by one part in 256 at most.
    static func agrees(
        _ got: [Float],
        with query: [Float],
        over cache: Cache,
        context: Int,
        _ kernels: Kernels
    ) -> Bool {
        let isRounded = kernels.name == "avx512bf16" && cache.head.type == .bf16
        let scale = 1 / Float(query.count).squareRoot()
        let seen = query.map { isRounded ? ScalarOracle.float(bf16: ScalarOracle.bf16($0 * scale)) / scale : $0 }
        let expected = ScalarOracle.attention(
            query: seen,
            keys: Array(cache.keys.prefix(context)),
            values: Array(cache.values.prefix(context))
        )
        return difference(expected, got) < (isRounded ? 0x1p-8 : 2e-6)
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
                        #expect(
                            Self.agrees(got, with: query, over: cache, context: context, kernels),
                            "\(heads) heads of \(headSize), context \(context)"
                        )
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

    /// A prompt in one go, in chunks of any size, token by token: the same bits. Contexts on both sides of everything that the
    /// kernels cut: groups, tiles, blocks, chunks of 256 tokens, calls of 24 queries.
    @Test(arguments: Kernels.available, [ElementType.f32, .bf16])
    func aRowIsTheSameBitsInAnyRun(kernels: Kernels, type: ElementType) {
        var samples = Samples(seed: 5)
        for (headSize, blockTokens, heads) in [(64, 16, 1), (40, 48, 3), (32, 64, 4), (6, 16, 30)] {
            let cache = Cache(
                kernels,
                tokens: 560,
                headSize: headSize,
                blockTokens: blockTokens,
                type: type,
                samples: &samples
            )
            for context in [1, 250, 500] {
                let rows = (0..<26).map { _ in samples.rows(heads, headSize).map { $0.map { $0 * 3 } } }
                let alone = rows.indices.map { r in
                    Self.attend(kernels, rows[r], over: cache, context: context + r)
                }
                for (row, result) in alone.enumerated() where row % 5 == 0 {
                    let query = rows[row][heads - 1]
                    #expect(
                        Self.agrees(result[heads - 1], with: query, over: cache, context: context + row, kernels)
                    )
                }
                for count in [2, 5, 6, 7, 24, 26] {
                    for first in stride(from: 0, to: rows.count, by: count) {
                        let part = first..<min(first + count, rows.count)
                        let got = Self.attend(kernels, rows: Array(rows[part]), over: cache, context: context + first)
                        #expect(got == Array(alone[part]), "\(count) rows of \(heads) heads from \(context + first)")
                    }
                }
            }
        }
    }

    @Test(arguments: [ElementType.f32, .bf16])
    func theVectorSetsGiveTheSameBits(type: ElementType) throws {
        let fused = Kernels.available.filter {
            $0.name != "portable" && !($0.name == "avx512bf16" && type == .bf16)
        }
        var samples = Samples(seed: 6)
        for headSize in [64, 40] {
            let rows = (0..<9).map { _ in samples.rows(2, headSize) }
            let results = fused.map { kernels in
                var samples = Samples(seed: 7)
                let cache = Cache(
                    kernels,
                    tokens: 300,
                    headSize: headSize,
                    blockTokens: 16,
                    type: type,
                    samples: &samples
                )
                return Self.attend(kernels, rows: rows, over: cache, context: 290)
            }
            #expect(results.allSatisfy { $0 == results[0] })
        }
    }

    /// What only later rows see may be anything: a row of the same tile does not notice.
    @Test(arguments: Kernels.available, [ElementType.f32, .bf16])
    func aRowDoesNotSeeLaterTokens(kernels: Kernels, type: ElementType) {
        var samples = Samples(seed: 8)
        let cache = Cache(kernels, tokens: 30, headSize: 32, blockTokens: 16, type: type, samples: &samples)
        let rows = (0..<10).map { _ in samples.rows(2, 32) }
        let before = Self.attend(kernels, rows: rows, over: cache, context: 21)
        for broken in [Float.nan, .infinity] {
            cache.write(kernels, token: 25, key: samples.row(32), value: Array(repeating: broken, count: 32))
            let after = Self.attend(kernels, rows: rows, over: cache, context: 21)
            #expect(Array(after.prefix(5)) == Array(before.prefix(5)))
            #expect(after[5...].allSatisfy { $0.allSatisfy { $0.allSatisfy { !$0.isFinite } } })
            cache.write(kernels, token: 25, key: Array(repeating: broken, count: 32), value: samples.row(32))
            #expect(
                Array(Self.attend(kernels, rows: rows, over: cache, context: 21).prefix(5)) == Array(before.prefix(5))
            )
        }
    }

    /// Later tokens, which may be in the same block, are not looked at.
    @Test(arguments: Kernels.available, [ElementType.f32, .bf16])
    func dependsOnItsContextOnly(kernels: Kernels, type: ElementType) {
        var long = Samples(seed: 3)
        let cache = Cache(kernels, tokens: 40, headSize: 16, blockTokens: 16, type: type, samples: &long)
        let query = long.rows(1, 16)
        for context in 1...40 {
            let before = Self.attend(kernels, query, over: cache, context: context)
            let nan = Array(repeating: Float.nan, count: 16)
            for token in context..<40 { cache.write(kernels, token: token, key: nan, value: nan) }
            #expect(Self.attend(kernels, query, over: cache, context: context) == before)
            for token in context..<40 {
                cache.write(kernels, token: token, key: cache.keys[token], value: cache.values[token])
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
