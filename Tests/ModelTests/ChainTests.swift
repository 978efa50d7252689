// What makes a chain model one: tests (a) to (d) of its definition. (e), one chain is a Llama, is in the parity fixtures.

import KVCache
import Model
import ModelIO
import Tensor
import Testing

@Suite struct ChainTests {
    static let random = try! RandomCheckpoint()
    static let checkpoint = try! random.open()
    static let prompt: [Int32] = (0..<150).map { Int32(($0 * 37 + 11) % 131) }

    static func run(
        kernels: String = Kernels.active.name,
        backend: ComputeBackend = .native,
        workers: Int = 2,
        cache: ElementType = .f32
    ) throws -> ModelRun {
        try ModelRun(checkpoint, kernels: kernels, backend: backend, workers: workers, cache: cache)
    }

    /// (a) k chains alone are the k-th prefix of the whole.
    @Test func kChainsAloneAreThePrefixOfAll() throws {
        let all = try Self.run()
        for chains in 1...3 {
            let few = try ModelRun(Self.random.open(chains: chains))
            var (a, b) = (all.sequence(), few.sequence())
            let whole = all.run(&a, Self.prompt, chains: chains, logits: .all)
            let alone = few.run(&b, Self.prompt, chains: chains, logits: .all)
            #expect(whole == alone)
            #expect(all.bytes(of: a) == few.bytes(of: b))
            all.end(&a)
        }
    }

    /// (b) nothing of a later chain reaches an earlier one.
    @Test(arguments: [2, 3])
    func laterChainsDoNotReachEarlierOnes(changed: Int) throws {
        let other = try RandomCheckpoint(changedChain: changed)
        let (before, after) = (try Self.run(), try ModelRun(other.open()))
        for chains in 1...3 {
            var (a, b) = (before.sequence(), after.sequence())
            let old = before.run(&a, Self.prompt, chains: chains, logits: .all)
            let new = after.run(&b, Self.prompt, chains: chains, logits: .all)
            #expect((old == new) == (chains < changed), "\(chains) chains")
            #expect(before.bytes(of: a) == after.bytes(of: b), "keys and values are chain 1's")
        }
    }

    /// (c) one token sequence leaves the same bytes in the cache, whatever chains each token was computed with.
    @Test(arguments: Kernels.available.map(\.name), [ElementType.f32, .bf16])
    func cacheBytesAreTheSameForEveryChainCount(kernels: String, cache: ElementType) throws {
        let model = try Self.run(kernels: kernels, cache: cache)
        let tokens = Self.prompt.prefix(40)
        func decode(_ chains: (Int) -> Int) -> [[UInt8]] {
            var sequence = model.sequence()
            for (position, token) in tokens.enumerated() {
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
        #expect(decode { 3 - $0 * $0 % 3 } == small)
    }

    /// (d) a prompt through chain 1, then tokens with all chains, is one full pass.
    @Test(arguments: [1, 2, 3])
    func prefillThenDecodeIsOneFullPass(chains: Int) throws {
        let model = try Self.run()
        var (full, steps) = (model.sequence(), model.sequence())
        let expected = model.run(&full, Array(Self.prompt.prefix(60)), chains: chains, logits: .all)
        var got = model.run(&steps, Array(Self.prompt.prefix(41)), chains: chains, logits: .last)
        for position in 41..<60 { got += model.run(&steps, [Self.prompt[position]], chains: chains, logits: .last) }
        #expect(got == Array(expected.suffix(20)))
        #expect(model.bytes(of: full) == model.bytes(of: steps))
    }

    /// Chain counts that change in the middle of an answer are as if the answer had begun with the new count.
    @Test func switchingChainsCostsNothing() throws {
        let model = try Self.run()
        var (steady, switching) = (model.sequence(), model.sequence())
        for (position, token) in Self.prompt.prefix(50).enumerated() {
            let expected = model.run(&steady, [token], chains: 3, logits: .last)
            let chains = position % 4 == 3 ? 3 : position % 3 + 1
            let got = model.run(&switching, [token], chains: chains, logits: .last)
            #expect((got == expected) == (chains == 3), "position \(position)")
        }
    }

    @Test func chainCountsMatter() throws {
        let model = try Self.run()
        var results: Set<[Float]> = []
        for chains in 1...3 {
            var sequence = model.sequence()
            results.insert(model.run(&sequence, Self.prompt, chains: chains, logits: .last)[0])
        }
        #expect(results.count == 3)
    }
}
