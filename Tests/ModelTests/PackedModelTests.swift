// Packed models: near the original, and as exact as it is about everything that must not change a bit.

import Foundation
import KVCache
import ModelIO
import Tensor
import Testing

@testable import Model

@Suite struct PackedModelTests {
    static let prompt = ChainTests.prompt

    @Test func filesAndKernelsAgreeOnSizes() {
        #expect(PackedFormat.panel == WeightFormat.panel && PackedFormat.group == WeightFormat.group)
        for packing in PackedFormat.allCases {
            let format = WeightFormat(packing)
            #expect(format.rawValue == packing.rawValue && format.isInteger == packing.isInteger)
            for (outputs, inputs) in [(1, 32), (32, 64), (33, 96), (131, 352), (4096, 1408)] {
                let shape = packing.shape(outputs: outputs, inputs: inputs)
                #expect(shape[1] == format.panelBytes(inputs: inputs))
                #expect(shape[0] * shape[1] == format.byteCount(outputs: outputs, inputs: inputs))
            }
        }
        #expect(PackedFormat.bf16.panelBytes(inputs: 7) == WeightFormat.bf16.panelBytes(inputs: 7))
    }

    /// The matrices of the model are the bytes of the file.
    @Test(arguments: PackedFormat.allCases, [true, false])
    func matricesAreUsedWhereTheyAreMapped(format: PackedFormat, isTied: Bool) throws {
        let packed = try PackedCheckpoint(PackedCheckpoint.original(isTied: isTied), format)
        let checkpoint = try packed.open()
        let weights = try ChainWeights(checkpoint, placement: .map, pool: WorkerPool(workers: 1))
        #expect(weights.bodyFormat.rawValue == format.rawValue)
        #expect(weights.headFormat == (format == .int4 ? .int8 : weights.bodyFormat))
        let expected: [(WeightMatrix, TensorName)] = [
            (weights.layers[1].query[2], .query(layer: 1, chain: 3)), (weights.layers[0].key, .key(layer: 0)),
            (weights.layers[2].value, .value(layer: 2)),
            (weights.layers[0].attentionOutput[1], .attentionOutput(layer: 0, chain: 2)),
            (weights.layers[1].gate[0], .gate(layer: 1, chain: 1)), (weights.layers[1].up[1], .up(layer: 1, chain: 2)),
            (weights.layers[2].down[2], .down(layer: 2, chain: 3)),
            (weights.head[1], isTied ? .embedding(chain: 2) : .head(chain: 2)),
        ]
        for (matrix, name) in expected {
            let tensor = try checkpoint.weight(name)
            #expect(matrix.pointer == tensor.pointer && matrix.byteCount == tensor.byteCount, "\(name)")
            #expect([matrix.rows, matrix.columns] == name.shape(in: checkpoint.configuration), "\(name)")
        }
        guard case .packed(let embedding) = weights.embedding[2] else {
            Issue.record("the embedding is packed")
            return
        }
        #expect(embedding.pointer == (try checkpoint.weight(.embedding(chain: 3)).pointer))
    }

    /// The same bytes, elsewhere, whichever thread copied them.
    @Test(arguments: PackedFormat.allCases, [true, false])
    func matricesAreCopiedWhole(format: PackedFormat, isTied: Bool) throws {
        let packed = try PackedCheckpoint(PackedCheckpoint.original(isTied: isTied), format)
        let checkpoint = try packed.open()
        let pool = WorkerPool(workers: 2)
        let (copied, mapped) = (
            try ChainWeights(checkpoint, placement: .copy, pool: pool),
            try ChainWeights(checkpoint, placement: .map, pool: pool)
        )
        func matrices(_ weights: ChainWeights) -> [WeightMatrix] {
            weights.head
                + weights.layers.flatMap {
                    [$0.key, $0.value] + $0.query + $0.attentionOutput + $0.gate + $0.up + $0.down
                }
        }
        func bytes(_ matrix: WeightMatrix) -> [UInt8] {
            Array(UnsafeRawBufferPointer(start: matrix.pointer, count: matrix.byteCount))
        }
        for (copy, original) in zip(matrices(copied), matrices(mapped)) {
            #expect(copy.pointer != original.pointer && UInt(bitPattern: copy.pointer) % 64 == 0)
            #expect(bytes(copy) == bytes(original))
        }
        // Of an embedding that is no head a token reads one row: it stays in the file.
        guard case .packed(let embedding) = copied.embedding[0], !isTied else { return }
        #expect(embedding.pointer == (try checkpoint.weight(.embedding(chain: 1)).pointer))
    }

    @Test(arguments: PackedFormat.allCases)
    func copiedAndMappedWeightsGiveTheSameBits(format: PackedFormat) throws {
        let packed = PackedCheckpoint.of(format)
        let copied = InvarianceTests.results(try packed.run(), batches: [12])
        let mapped = InvarianceTests.results(try packed.run(weights: .map), batches: [12])
        InvarianceTests.expectEqual(copied, mapped, "mapped")
    }

    /// Root mean square of the difference, in root mean squares of the original.
    private func distance(_ a: [[Float]], _ b: [[Float]]) -> Float {
        let (x, y) = (a.flatMap { $0 }, b.flatMap { $0 })
        let difference = zip(x, y).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        return (difference / x.reduce(0) { $0 + $1 * $1 }).squareRoot()
    }

    @Test(arguments: Kernels.available.map(\.name), [DType.bf16, .f32, .f16])
    func logitsAreNearTheOriginals(kernels: String, type: DType) throws {
        let original = type == .bf16 ? PackedCheckpoint.plain : try PackedCheckpoint.original(type: type)
        for isExact in [PackedFormat.bf16: type == .bf16, .int8: false, .int4: false] {
            let packed = type == .bf16 ? PackedCheckpoint.of(isExact.key) : try PackedCheckpoint(original, isExact.key)
            let (a, b) = (try ModelRun(original.open(), kernels: kernels), try packed.run(kernels: kernels))
            for chains in 1...3 {
                var (plain, small) = (a.sequence(), b.sequence())
                let expected = a.run(&plain, Self.prompt, chains: chains, logits: .all)
                let got = b.run(&small, Self.prompt, chains: chains, logits: .all)
                if isExact.value {
                    #expect(got == expected && a.bytes(of: plain) == b.bytes(of: small))
                } else {
                    let limit: Float = isExact.key == .int4 ? 0.3 : 0.03
                    let distance = distance(expected, got)
                    #expect(distance > 0 && distance < limit, "\(isExact.key), \(chains) chains")
                }
                a.end(&plain)
                b.end(&small)
            }
        }
    }

    /// The same bytes, however often and on however many threads.
    @Test(arguments: PackedFormat.allCases)
    func quantisingTwiceGivesTheSameBytes(format: PackedFormat) throws {
        let first = PackedCheckpoint.of(format)
        for workers in [1, 3] {
            let second = try PackedCheckpoint(PackedCheckpoint.plain, format, workers: workers)
            let names = try FileManager.default.contentsOfDirectory(atPath: first.folder).sorted()
            #expect(try FileManager.default.contentsOfDirectory(atPath: second.folder).sorted() == names)
            for name in names {
                let (a, b) = (
                    URL(fileURLWithPath: first.folder + "/" + name), URL(fileURLWithPath: second.folder + "/" + name)
                )
                #expect(try Data(contentsOf: a) == Data(contentsOf: b), "\(name)")
            }
            #expect(try first.open().fingerprint == second.open().fingerprint)
        }
    }

    // MARK: Bits that do not depend on company, threads or cuts

    @Test(arguments: Kernels.available.map(\.name), PackedFormat.allCases)
    func aloneAndInAnyBatch(kernels: String, format: PackedFormat) throws {
        let model = try PackedCheckpoint.of(format).run(kernels: kernels)
        let alone = InvarianceTests.results(model, batches: Array(repeating: 1, count: InvarianceTests.work.count))
        InvarianceTests.expectEqual(alone, InvarianceTests.results(model, batches: [12]), "all together")
        InvarianceTests.expectEqual(alone, InvarianceTests.results(model, batches: [5, 7]), "in two batches")
        let reversed = Array(InvarianceTests.work.indices.reversed())
        InvarianceTests.expectEqual(
            alone,
            InvarianceTests.results(model, order: reversed, batches: [12]),
            "in another order"
        )
    }

    @Test(arguments: PackedFormat.allCases)
    func onAnyNumberOfThreads(format: PackedFormat) throws {
        let packed = PackedCheckpoint.of(format)
        let one = InvarianceTests.results(try packed.run(workers: 1), batches: [12])
        for workers in [2, 3] {
            let more = InvarianceTests.results(try packed.run(workers: workers), batches: [12])
            InvarianceTests.expectEqual(one, more, "\(workers) threads")
        }
    }

    @Test(arguments: PackedFormat.allCases, [[64, 86], [1, 100, 49], [70, 1, 1, 78], [75, 75]])
    func aPromptInChunks(format: PackedFormat, chunks: [Int]) throws {
        let model = try PackedCheckpoint.of(format).run()
        for chains in [1, 3] {
            var (whole, cut) = (model.sequence(), model.sequence())
            let expected = model.run(&whole, Self.prompt, chains: chains, logits: .last)
            var got: [[Float]] = []
            for (index, count) in chunks.enumerated() {
                let tokens = Array(Self.prompt[cut.count..<cut.count + count])
                got += model.run(&cut, tokens, chains: chains, logits: index == chunks.count - 1 ? .last : .none)
            }
            #expect(got == expected)
            #expect(model.bytes(of: cut) == model.bytes(of: whole))
            model.end(&whole)
            model.end(&cut)
        }
    }

    // MARK: What makes a chain model one, tests (a) to (d)

    @Test(arguments: PackedFormat.allCases)
    func kChainsAloneAreThePrefixOfAll(format: PackedFormat) throws {
        let packed = PackedCheckpoint.of(format)
        let all = try packed.run()
        for chains in 1...3 {
            let few = try packed.run(chains: chains)
            var (a, b) = (all.sequence(), few.sequence())
            let whole = all.run(&a, Self.prompt, chains: chains, logits: .all)
            #expect(whole == few.run(&b, Self.prompt, chains: chains, logits: .all))
            #expect(all.bytes(of: a) == few.bytes(of: b))
            all.end(&a)
        }
    }

    @Test(arguments: PackedFormat.allCases, [2, 3])
    func laterChainsDoNotReachEarlierOnes(format: PackedFormat, changed: Int) throws {
        let other = try PackedCheckpoint(PackedCheckpoint.original(changedChain: changed), format)
        let (before, after) = (try PackedCheckpoint.of(format).run(), try other.run())
        for chains in 1...3 {
            var (a, b) = (before.sequence(), after.sequence())
            let old = before.run(&a, Self.prompt, chains: chains, logits: .all)
            let new = after.run(&b, Self.prompt, chains: chains, logits: .all)
            #expect((old == new) == (chains < changed), "\(chains) chains")
            #expect(before.bytes(of: a) == after.bytes(of: b), "keys and values are chain 1's")
        }
    }

    @Test(arguments: Kernels.available.map(\.name), PackedFormat.allCases)
    func cacheBytesAreTheSameForEveryChainCount(kernels: String, format: PackedFormat) throws {
        for cache in [ElementType.f32, .bf16] {
            let model = try PackedCheckpoint.of(format).run(kernels: kernels, cache: cache)
            func decode(_ chains: (Int) -> Int) -> [[UInt8]] {
                var sequence = model.sequence()
                for (position, token) in Self.prompt.prefix(40).enumerated() {
                    _ = model.run(&sequence, [token], chains: chains(position), logits: .last)
                }
                defer { model.end(&sequence) }
                return model.bytes(of: sequence)
            }
            let small = decode { _ in 1 }
            #expect(small.joined().contains { $0 != 0 })
            #expect(decode { _ in 2 } == small)
            #expect(decode { _ in 3 } == small)
            #expect(decode { $0 % 3 + 1 } == small)
        }
    }

    @Test(arguments: PackedFormat.allCases, [1, 2, 3])
    func prefillThenDecodeIsOneFullPass(format: PackedFormat, chains: Int) throws {
        let model = try PackedCheckpoint.of(format).run()
        var (full, steps) = (model.sequence(), model.sequence())
        let expected = model.run(&full, Array(Self.prompt.prefix(60)), chains: chains, logits: .all)
        var got = model.run(&steps, Array(Self.prompt.prefix(41)), chains: chains, logits: .last)
        for position in 41..<60 { got += model.run(&steps, [Self.prompt[position]], chains: chains, logits: .last) }
        #expect(got == Array(expected.suffix(20)))
        #expect(model.bytes(of: full) == model.bytes(of: steps))
    }
}
