// The forward pass against PyTorch's: logits of every chain count, keys and values.

import Foundation
import KVCache
import Model
import ModelIO
import Tensor
import Testing

/// A checkpoint made by the training kit, with what the reference model computes from it.
struct Fixture: Sendable, CustomTestStringConvertible {
    let name: String
    var testDescription: String { name }

    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/models").path

    /// Those of CoLM-Air; plain CoLM is another architecture.
    static let all = try! FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        .filter { !$0.hasPrefix("colm") }.map(Fixture.init)

    func checkpoint(chains: Int? = nil) throws -> Checkpoint {
        if chains == nil, let whole = Self.checkpoints[name] { return whole }
        return try Checkpoint(folder: "\(Self.folder)/\(name)", chains: chains)
    }

    /// Opened once: the fingerprint takes a while in a debug build.
    private static let checkpoints = Dictionary(
        uniqueKeysWithValues: all.map { ($0.name, try! Checkpoint(folder: "\(folder)/\($0.name)")) }
    )

    func expected() throws -> Expected {
        let file = try SafetensorsFile(path: "\(Self.folder)/\(name)/expected.safetensors")
        func integers(_ name: String) throws -> [Int32] {
            let tensor = try #require(file[name])
            return (0..<tensor.elementCount).map {
                tensor.pointer.loadUnaligned(fromByteOffset: $0 * 4, as: Int32.self)
            }
        }
        func rows(_ name: String) throws -> [[Float]] {
            let tensor = try #require(file[name]), floats = tensor.floats()
            let width = try #require(tensor.shape.last)
            return stride(from: 0, to: floats.count, by: width).map { Array(floats[$0..<$0 + width]) }
        }
        var logits: [[[Float]]] = []
        while file["logits.k\(logits.count + 1)"] != nil { logits.append(try rows("logits.k\(logits.count + 1)")) }
        return Expected(
            tokens: try integers("tokens"),
            positions: try integers("positions").map(Int.init),
            logits: logits,
            keys: try rows("kv.k"),
            values: try rows("kv.v")
        )
    }

    struct Expected {
        let tokens: [Int32]
        /// The positions whose logits there are.
        let positions: [Int]
        /// `[chains - 1][position][V]`
        let logits: [[[Float]]]
        /// `[layer * tokens + token][H_kv * headSize]`, keys after RoPE.
        let keys: [[Float]]
        let values: [[Float]]
    }
}

@Suite struct ParityTests {
    /// The best kernels that round no activations: what is compared is the architecture.
    static let exact = Kernels.active.multiplyingInF32.name

    /// What the logits may differ by: hardly anything in f32, more where activations are rounded to bf16 for products.
    static func tolerance(_ run: ModelRun) -> Float {
        let forms = [run.model.bodyFormat, run.model.headFormat].map(run.model.kernels.form)
        return forms.allSatisfy { $0 == .f32 } ? 1e-3 : 0.3
    }

    /// The whole prompt at once, all logits wanted.
    @Test(arguments: Fixture.all, ComputeBackend.allCases)
    func allLogitsOfAPrompt(fixture: Fixture, backend: ComputeBackend) throws {
        let expected = try fixture.expected()
        let model = try ModelRun(fixture.checkpoint(), kernels: Self.exact, backend: backend)
        #expect(expected.logits.count == model.model.chainCount)
        for chains in 1...model.model.chainCount {
            var sequence = model.sequence()
            let logits = model.run(&sequence, expected.tokens, chains: chains, logits: .all)
            for (place, position) in expected.positions.enumerated() {
                let worst = largestDifference(logits[position], expected.logits[chains - 1][place])
                #expect(worst <= Self.tolerance(model), "\(chains) chains, position \(position)")
            }
            model.expectCache(of: sequence, keys: expected.keys, values: expected.values)
            model.end(&sequence)
        }
    }

    /// Prefill with chain 1, the last token with all chains, for prompts of many lengths.
    @Test(arguments: Fixture.all, Kernels.available.map(\.name))
    func lastLogitsOfPrompts(fixture: Fixture, kernels: String) throws {
        let expected = try fixture.expected()
        let model = try ModelRun(fixture.checkpoint(), kernels: kernels)
        for chains in 1...model.model.chainCount {
            for (place, position) in expected.positions.enumerated() {
                var sequence = model.sequence()
                let prompt = Array(expected.tokens.prefix(position + 1))
                let logits = model.run(&sequence, prompt, chains: chains, logits: .last)
                #expect(logits.count == 1)
                let worst = largestDifference(logits[0], expected.logits[chains - 1][place])
                #expect(worst <= Self.tolerance(model), "\(chains) chains, prompt of \(prompt.count)")
                model.end(&sequence)
            }
        }
    }

    /// Token by token, with a bf16 cache nearly the same, with an f32 cache the same.
    @Test(arguments: Fixture.all, [ElementType.f32, .bf16])
    func decodingTokenByToken(fixture: Fixture, cache: ElementType) throws {
        let expected = try fixture.expected()
        let model = try ModelRun(fixture.checkpoint(), kernels: Self.exact, cache: cache)
        let count = min(expected.tokens.count, 60)
        var sequence = model.sequence()
        for (position, token) in expected.tokens.prefix(count).enumerated() {
            let chains = position % model.model.chainCount + 1
            let logits = model.run(&sequence, [token], chains: chains, logits: .last)
            guard let place = expected.positions.firstIndex(of: position) else { continue }
            let worst = largestDifference(logits[0], expected.logits[chains - 1][place])
            #expect(worst <= (cache == .f32 ? Self.tolerance(model) : 0.2), "\(chains) chains, position \(position)")
        }
    }

    /// A smaller model is fewer files: the first k chains alone give the k-th prefix's logits, bit for bit.
    @Test(arguments: Fixture.all)
    func fewerFilesAreTheSmallerModel(fixture: Fixture) throws {
        let expected = try fixture.expected()
        let all = try ModelRun(fixture.checkpoint())
        for chains in 1...all.model.chainCount {
            let few = try ModelRun(fixture.checkpoint(chains: chains))
            var (a, b) = (all.sequence(), few.sequence())
            let prompt = Array(expected.tokens.prefix(25))
            #expect(
                all.run(&a, prompt, chains: chains, logits: .all) == few.run(&b, prompt, chains: chains, logits: .all)
            )
            all.end(&a)
        }
    }
}

/// The largest difference of two rows of logits; infinity where one is not a number.
func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
    precondition(a.count == b.count)
    return zip(a, b).map { ($0 - $1).isNaN ? .infinity : abs($0 - $1) }.max() ?? 0
}
