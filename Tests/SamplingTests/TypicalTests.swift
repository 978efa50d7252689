import Core
import Foundation
import TestSupport
import Testing

@testable import Sampling

/// Locally typical sampling.
@Suite struct TypicalTests {
    private func kept(_ logits: [Float], topK: Int = 0, topP: Float = 1, typicalP: Float) -> [Int] {
        var set = CandidateSet()
        logits.withUnsafeBufferPointer { set.fill(from: $0, temperature: 1) }
        set.keep(topK: topK)
        set.keep(topP: topP)
        set.keep(typicalP: typicalP)
        return set.candidates.map { Int($0.id) }
    }

    /// The paper's definition on probabilities, by brute force.
    private func twin(_ probabilities: [Double], typicalP: Double) -> Set<Int> {
        let entropy = -probabilities.reduce(0) { $0 + $1 * log($1) }
        let order = probabilities.indices.sorted {
            abs(-log(probabilities[$0]) - entropy) < abs(-log(probabilities[$1]) - entropy)
        }
        var mass = 0.0
        var kept: Set<Int> = []
        for index in order where mass < typicalP || kept.isEmpty {
            kept.insert(index)
            mass += probabilities[index]
        }
        return kept
    }

    /// The entropy is 1.19 nats. The token of 0.3 (1.20) is nearest, before the likeliest (0.80) and that of 0.2 (1.61).
    @Test(
        arguments: [
            (0, [1]), (0.29, [1]), (0.31, [0, 1]), (0.74, [0, 1]), (0.76, [0, 1, 2]), (0.96, [0, 1, 2, 3]),
        ] as [(Float, [Int])]
    )
    func keepsExactly(typicalP: Float, expected: [Int]) {
        let probabilities = [0.45, 0.3, 0.2, 0.05]
        let seen = kept(probabilities.map { Float(log($0)) }, typicalP: typicalP)
        #expect(Set(seen) == twin(probabilities, typicalP: Double(typicalP)))
        #expect(Set(seen) == Set(expected))
        #expect(seen == seen.sorted(), "the likeliest first")
    }

    @Test func mayDropTheLikeliest() {
        // One likely token and very many unlikely ones, which are what is to be expected.
        let logits = [Float(log(0.3))] + Array(repeating: Float(log(0.7 / 500)), count: 500)
        let seen = kept(logits, typicalP: 0.5)
        #expect(!seen.contains(0))
        #expect(seen == Array(1...seen.count), "equals go by id")
        var sampler = Sampler()
        logits.withUnsafeBufferPointer { logits in
            for index in 0..<200 {
                #expect(seen.contains(Int(sampler.sample(logits, with: .init(typicalP: 0.5, seed: 2), index: index))))
            }
        }
    }

    @Test(arguments: 1...20) func agreesWithTheDefinition(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let logits = (0..<Int.random(in: 1...600, using: &random)).map { _ in Float.random(in: -6...6, using: &random) }
        let total = logits.reduce(0) { $0 + exp(Double($1)) }
        let typicalP = Float.random(in: 0.05...0.95, using: &random)
        let expected = twin(logits.map { exp(Double($0)) / total }, typicalP: Double(typicalP))
        // Rounding may decide about the token on the edge.
        #expect(expected.symmetricDifference(kept(logits, typicalP: typicalP)).count <= 1)
    }

    /// Over what the other rules left, in both forms that they leave it in.
    @Test func followsTheOtherRules() {
        let logits = [0.4, 0.3, 0.2, 0.1].map { Float(log($0)) }
        let two = twin([0.4 / 0.7, 0.3 / 0.7], typicalP: 0.3)
        #expect(Set(kept(logits, topK: 2, typicalP: 0.3)) == two)
        #expect(Set(kept(logits, topP: 0.65, typicalP: 0.3)) == two)
    }

    @Test func brokenLogitsStillGiveAToken() {
        var sampler = Sampler()
        for logits: [Float] in [[.nan, .nan], [-.infinity, .infinity], [.nan, 2]] {
            let token = logits.withUnsafeBufferPointer {
                sampler.sample($0, with: .init(typicalP: 0.5, seed: 1), index: 0)
            }
            #expect(logits.indices.contains(Int(token)))
        }
    }
}
