// A request's results are the same bits alone and in any company, cut in any way, on any number of threads.

import KVCache
import Model
import Tensor
import Testing

@Suite struct InvarianceTests {
    /// Sequences in all stages: prompts of which a part is cached, and answers, each with its own chain count.
    struct Work {
        var cached: Int
        var tokens: ArraySlice<Int32>
        var chains: Int
        var logits: Segment.Logits

        init(_ cached: Int, _ count: Int, chains: Int, _ logits: Segment.Logits) {
            self.cached = cached
            tokens = ChainTests.prompt[cached..<cached + count]
            self.chains = chains
            self.logits = logits
        }
    }

    /// OpenBLAS multiplies f32 and is compared with kernels that do.
    static func kernels(for backend: ComputeBackend) -> String {
        backend == .openblas ? Kernels.active.multiplyingInF32.name : Kernels.active.name
    }

    static let work = [
        Work(20, 1, chains: 3, .last), Work(33, 1, chains: 1, .last), Work(0, 100, chains: 2, .last),
        Work(15, 1, chains: 2, .last), Work(7, 5, chains: 3, .none), Work(16, 70, chains: 3, .all),
        Work(0, 1, chains: 3, .last), Work(30, 9, chains: 2, .all), Work(31, 17, chains: 3, .last),
        Work(60, 66, chains: 1, .none), Work(17, 1, chains: 1, .last), Work(64, 64, chains: 1, .all),
    ]

    /// Logits of every piece of work, and the bytes of its blocks, when the pieces run in batches of the given sizes.
    static func results(
        _ model: ModelRun,
        order: [Int] = Array(work.indices),
        batches: [Int]
    ) -> [Int: (logits: [[Float]], bytes: [[UInt8]])] {
        var results: [Int: (logits: [[Float]], bytes: [[UInt8]])] = [:]
        var next = 0
        for size in batches {
            let chosen = order[next..<min(next + size, order.count)]
            next += chosen.count
            var sequences = chosen.map { _ in model.sequence() }
            var segments: [Segment] = []
            for (place, index) in chosen.enumerated() {
                let piece = work[index]
                if piece.cached > 0 {
                    let prefix = Array(ChainTests.prompt.prefix(piece.cached))
                    _ = model.run(&sequences[place], prefix, chains: 1, logits: .none)
                }
                let tokens = Array(piece.tokens)
                segments.append(
                    model.segment(&sequences[place], tokens, chains: piece.chains, logits: piece.logits)
                )
            }
            var logits = model.run(segments)[...]
            #expect(logits.count == segments.reduce(0) { $0 + $1.logitsCount })
            for (place, index) in chosen.enumerated() {
                let count = segments[place].logitsCount
                results[index] = (Array(logits.prefix(count)), model.bytes(of: sequences[place]))
                logits = logits.dropFirst(count)
                model.end(&sequences[place])
            }
        }
        return results
    }

    static func expectEqual(
        _ a: [Int: (logits: [[Float]], bytes: [[UInt8]])],
        _ b: [Int: (logits: [[Float]], bytes: [[UInt8]])],
        _ comment: Comment
    ) {
        #expect(a.count == work.count && b.count == work.count)
        for index in work.indices {
            #expect(a[index]?.logits == b[index]?.logits, "\(comment): logits of \(index)")
            #expect(a[index]?.bytes == b[index]?.bytes, "\(comment): cache of \(index)")
        }
    }

    @Test(arguments: Kernels.available.map(\.name), [ComputeBackend.native, .openblas])
    func aloneAndInAnyBatch(kernels: String, backend: ComputeBackend) throws {
        let model = try ChainTests.run(kernels: kernels, backend: backend)
        let alone = Self.results(model, batches: Array(repeating: 1, count: Self.work.count))
        Self.expectEqual(alone, Self.results(model, batches: [12]), "all together")
        Self.expectEqual(alone, Self.results(model, batches: [5, 7]), "in two batches")
        let reversed = Array(Self.work.indices.reversed())
        Self.expectEqual(alone, Self.results(model, order: reversed, batches: [12]), "in another order")
    }

    @Test(arguments: [ComputeBackend.native, .openblas])
    func onAnyNumberOfThreads(backend: ComputeBackend) throws {
        let one = Self.results(try ChainTests.run(backend: backend, workers: 1), batches: [12])
        for workers in [2, 3] {
            let more = Self.results(try ChainTests.run(backend: backend, workers: workers), batches: [12])
            Self.expectEqual(one, more, "\(workers) threads")
        }
    }

    /// With the kernels, how a prompt is cut changes nothing; with OpenBLAS, hardly anything.
    @Test(
        arguments: [ComputeBackend.native, .openblas],
        [[150], [64, 86], [1, 100, 49], [70, 1, 1, 78], [75, 75]]
    )
    func aPromptInChunks(backend: ComputeBackend, chunks: [Int]) throws {
        let model = try ChainTests.run(kernels: Self.kernels(for: backend), backend: backend)
        let reference = try ChainTests.run(kernels: Self.kernels(for: backend), backend: .native)
        for chains in [1, 3] {
            var (whole, cut) = (reference.sequence(), model.sequence())
            let expected = reference.run(&whole, ChainTests.prompt, chains: chains, logits: .last)
            var got: [[Float]] = []
            for (index, count) in chunks.enumerated() {
                let tokens = Array(ChainTests.prompt[cut.count..<cut.count + count])
                got += model.run(&cut, tokens, chains: chains, logits: index == chunks.count - 1 ? .last : .none)
            }
            if backend == .native {
                #expect(got == expected)
                #expect(model.bytes(of: cut) == reference.bytes(of: whole))
            } else {
                #expect(largestDifference(got[0], expected[0]) < 1e-4)
            }
            model.end(&cut)
            reference.end(&whole)
        }
    }

    /// Both add an output's products in the order of the inputs, but for long sums, which OpenBLAS cuts.
    @Test func theBackEndsAgree() throws {
        let blasRun = try ChainTests.run(backend: .openblas)
        #expect(blasRun.model.usesOpenBLAS)
        let native = Self.results(try ChainTests.run(kernels: Self.kernels(for: .openblas)), batches: [12])
        let blas = Self.results(blasRun, batches: [12])
        for index in Self.work.indices {
            for (a, b) in zip(native[index]?.logits ?? [], blas[index]?.logits ?? []) {
                #expect(largestDifference(a, b) < 1e-4)
            }
        }
    }

    @Test func aFixedResultForEveryBlockSize() throws {
        var results: [[[Float]]] = []
        for blockTokens in [16, 32, 64] {
            let model = try ModelRun(ChainTests.checkpoint, blockTokens: blockTokens)
            var sequence = model.sequence()
            results.append(model.run(&sequence, ChainTests.prompt, chains: 3, logits: .all))
        }
        #expect(results[0] == results[1] && results[0] == results[2])
    }

    /// Two answers to one prompt share its blocks; each goes on as if it were alone.
    @Test func forksShareTheirPast() throws {
        let model = try ChainTests.run()
        var first = model.sequence()
        _ = model.run(&first, Array(ChainTests.prompt.prefix(37)), chains: 1, logits: .none)
        var second = ModelRun.Sequence(table: model.cache.fork(first.table))
        let both = model.run([
            model.segment(&first, [5, 6, 7], chains: 3, logits: .last),
            model.segment(&second, [9, 8], chains: 2, logits: .last),
        ])
        for (index, tail) in [[5, 6, 7], [9, 8]].enumerated() {
            var alone = model.sequence()
            let tokens = Array(ChainTests.prompt.prefix(37)) + tail.map { Int32($0) }
            #expect(model.run(&alone, tokens, chains: 3 - index, logits: .last)[0] == both[index])
            #expect(model.bytes(of: alone) == model.bytes(of: index == 0 ? first : second))
        }
        #expect(first.table.blocks.prefix(2) == second.table.blocks.prefix(2))
    }

    /// Drafted tokens that were rejected leave no trace.
    @Test func truncatingUndoesTokens() throws {
        let model = try ChainTests.run()
        var (drafted, plain) = (model.sequence(), model.sequence())
        let prompt = Array(ChainTests.prompt.prefix(30))
        _ = model.run(&plain, prompt, chains: 1, logits: .none)
        _ = model.run(&drafted, prompt, chains: 1, logits: .none)
        _ = model.run(&drafted, [1, 2, 3, 4, 5], chains: 3, logits: .all)
        model.cache.truncate(&drafted.table, to: 30)
        let expected = model.run(&plain, [77], chains: 3, logits: .last)
        #expect(model.run(&drafted, [77], chains: 3, logits: .last) == expected)
    }
}
