import Core
import Foundation
import Testing

@testable import Sampling

@Suite struct SamplerTests {
    private func sample(_ logits: [Float], _ parameters: SamplingParameters, index: Int = 0) -> TokenID {
        var sampler = Sampler()
        return logits.withUnsafeBufferPointer { sampler.sample($0, with: parameters, index: index) }
    }

    private func frequencies(_ logits: [Float], _ parameters: SamplingParameters, draws: Int = 20_000) -> [Double] {
        var counts = [Double](repeating: 0, count: logits.count)
        var sampler = Sampler()
        logits.withUnsafeBufferPointer { logits in
            for index in 0..<draws {
                counts[Int(sampler.sample(logits, with: parameters, index: index))] += 1
            }
        }
        return counts.map { $0 / Double(draws) }
    }

    @Test func greedyTakesTheLowestIDAmongEquals() {
        #expect(sample([1, 3, 2, 3], .init(temperature: 0, seed: 1)) == 1)
        #expect(sample([.nan, -1, .nan], .init(temperature: 0, seed: 1)) == 1)
        #expect(sample([-.infinity, -.infinity], .init(temperature: 0, seed: 1)) == 0)
    }

    @Test func sameSeedSameTokenAndSeedsDiffer() {
        let logits = (0..<200).map { Float($0 % 17) * 0.1 }
        let tokens = (0..<50).map { sample(logits, .init(seed: 7), index: $0) }
        #expect(tokens == (0..<50).map { sample(logits, .init(seed: 7), index: $0) })
        #expect(tokens != (0..<50).map { sample(logits, .init(seed: 8), index: $0) })
        #expect(Set(tokens).count > 20)
    }

    @Test func drawsFollowTheSoftmax() {
        let probabilities = [0.1, 0.2, 0.3, 0.4]
        let logits = probabilities.map { Float(log($0)) }
        for (expected, seen) in zip(probabilities, frequencies(logits, .init(seed: 3))) {
            #expect(abs(expected - seen) < 0.02)
        }
        // Temperature 0.5 squares the odds.
        let total = probabilities.reduce(0) { $0 + $1 * $1 }
        for (p, seen) in zip(probabilities, frequencies(logits, .init(temperature: 0.5, seed: 3))) {
            #expect(abs(p * p / total - seen) < 0.02)
        }
    }

    @Test(arguments: [
        (SamplingParameters(topK: 1, seed: 5), [3]),
        (SamplingParameters(topK: 2, seed: 5), [2, 3]),
        (SamplingParameters(topP: 0.39, seed: 5), [3]),
        (SamplingParameters(topP: 0.69, seed: 5), [2, 3]),
        (SamplingParameters(topP: 0.71, seed: 5), [1, 2, 3]),
        (SamplingParameters(topP: 0, seed: 5), [3]),
        (SamplingParameters(minP: 0.49, seed: 5), [1, 2, 3]),
        (SamplingParameters(minP: 0.51, seed: 5), [2, 3]),
        (SamplingParameters(minP: 1, seed: 5), [3]),
        // Of the two that top-k leaves, the likelier has 4/7 of the mass.
        (SamplingParameters(topK: 2, topP: 0.57, seed: 5), [3]),
        (SamplingParameters(topK: 2, topP: 0.58, seed: 5), [2, 3]),
        (SamplingParameters(topK: 100, topP: 1, seed: 5), [0, 1, 2, 3]),
    ])
    func filtersKeepExactly(_ parameters: SamplingParameters, _ kept: [Int]) {
        let logits = [0.1, 0.2, 0.3, 0.4].map { Float(log($0)) }
        let seen = frequencies(logits, parameters, draws: 2_000)
        #expect(seen.indices.filter { seen[$0] > 0 } == kept)
    }

    @Test func heapAgreesWithSortingOnRandomLogits() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let count = Int.random(in: 1...300, using: &generator)
            // Few distinct values, so that ties are common.
            let logits = (0..<count).map { _ in Float(Int.random(in: -20...20, using: &generator)) / 4 }
            let keep = Int.random(in: 1...count, using: &generator)
            var set = CandidateSet()
            logits.withUnsafeBufferPointer { set.fill(from: $0, temperature: 1) }
            set.keep(topK: keep)
            let sorted = logits.indices.sorted { (logits[$0], -$0) > (logits[$1], -$1) }
            if keep < count { #expect(set.candidates.map { Int($0.id) } == Array(sorted.prefix(keep))) }
        }
    }

    /// Every rule and both kinds of draw against sorting, on vocabularies that end anywhere in a block, with ties.
    @Test(arguments: [1, 15, 17, 255, 256, 257, 3000], [Float(0.1), 1, 5])
    func rulesAndDrawsAgreeWithSorting(count: Int, spread: Float) {
        var generator = SystemRandomNumberGenerator()
        for round in 0..<12 {
            let logits = (0..<count).map { _ in
                (Float.random(in: -4...4, using: &generator) * spread * 8).rounded() / 8
            }
            let highest = logits.max()!
            let minP: Float = round % 3 == 0 ? 0.01 : 0
            let topP = round % 2 == 0 ? Float.random(in: 0..<1, using: &generator) : 1
            // The rules in plain words.
            var expected = logits.indices.map { (id: $0, weight: exp(Double(logits[$0] - highest))) }
            expected.removeAll { $0.weight < Double(minP) }
            if topP < 1 {
                expected.sort { ($0.weight, -$0.id) > ($1.weight, -$1.id) }
                let target = Double(topP) * expected.reduce(0) { $0 + $1.weight }
                var sum = 0.0
                let last = expected.firstIndex {
                    sum += $0.weight
                    return sum >= target
                }!
                // Rounding decides what lies on the edge.
                if abs(sum - target) < 1e-5 * target || abs(sum - expected[last].weight - target) < 1e-5 * target {
                    continue
                }
                expected = Array(expected[...last])
            }
            var set = CandidateSet()
            logits.withUnsafeBufferPointer { set.fill(from: $0, temperature: 1) }
            set.keep(minP: minP)
            set.keep(topP: topP)
            #expect(set.count == expected.count)
            let mass = expected.reduce(0) { $0 + $1.weight }
            #expect(abs(set.mass - mass) < 1e-5 * mass)
            for _ in 0..<5 {
                let point = Double.random(in: 0..<1, using: &generator)
                var sum = 0.0
                let drawn = expected.first {
                    sum += $0.weight
                    return sum > point * mass
                }!
                let distance = min(abs(sum - point * mass), abs(sum - drawn.weight - point * mass))
                if distance > 1e-5 * mass { #expect(Int(set.draw(at: point)) == drawn.id) }
            }
        }
    }

    @Test func exponentialsAreRightInTheLastBits() {
        for step in 0...87_200 {
            let x = -Float(step) / 1000
            let e = exponential(Lanes(repeating: x))[step % 16]
            #expect(abs(Double(e) - exp(Double(x))) <= 2 * Double(Float(exp(Double(x))).ulp), "e^\(x)")
        }
        #expect(exponential(Lanes(repeating: -.infinity)) == Lanes(repeating: 0))
        #expect(exponential(Lanes(repeating: .nan)) == Lanes(repeating: 0))
        #expect(exponential(Lanes(repeating: -88)) == Lanes(repeating: 0))
        #expect(exponential(Lanes(repeating: 0)) == Lanes(repeating: 1))
    }

    @Test func brokenLogitsStillGiveAToken() {
        let parameters = SamplingParameters(topK: 3, topP: 0.9, minP: 0.1, seed: 1)
        #expect(sample([.nan, .nan], parameters) == 0)
        #expect(sample([-.infinity, .infinity, 3], parameters) == 1)
        #expect(sample([.nan, 2, -.infinity], parameters) == 1)
    }
}

@Suite struct UniformRandomTests {
    @Test func meanVarianceAndRange() {
        let values = (0..<100_000).map { uniformRandom(seed: 42, index: $0) }
        let mean = values.reduce(0, +) / Double(values.count)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
        #expect(values.allSatisfy { (0..<1).contains($0) })
        #expect(abs(mean - 0.5) < 0.005)
        #expect(abs(variance - 1.0 / 12) < 0.002)
    }

    @Test func neighbouringSeedsAreUnrelated() {
        let pairs = (0..<10_000).map { (uniformRandom(seed: 1, index: $0), uniformRandom(seed: 2, index: $0)) }
        let covariance = pairs.reduce(0) { $0 + ($1.0 - 0.5) * ($1.1 - 0.5) } / Double(pairs.count)
        #expect(abs(covariance) < 0.005)
        #expect(uniformRandom(seed: 0, index: 1) != uniformRandom(seed: 1, index: 0))
    }
}

@Suite struct LogprobsTests {
    @Test func normalisedAndOrdered() {
        let logits: [Float] = [1, 3, 2, 3, -.infinity]
        let result = logits.withUnsafeBufferPointer { tokenLogprobs($0, chosen: 2, count: 3) }
        #expect(result.top.map(\.id) == [1, 3, 2])
        #expect(result.top[2].logprob == result.chosen.logprob)
        let normaliser = log(2 * exp(3.0) + exp(2.0) + exp(1.0))
        #expect(abs(Double(result.chosen.logprob) - (2 - normaliser)) < 1e-6)
    }

    @Test func countsBeyondTheVocabularyGiveAll() {
        let logits: [Float] = [0, 1]
        let result = logits.withUnsafeBufferPointer { tokenLogprobs($0, chosen: 0, count: 20) }
        #expect(result.top.map(\.id) == [1, 0])
        let none = logits.withUnsafeBufferPointer { tokenLogprobs($0, chosen: 0, count: 0) }
        #expect(none.top.isEmpty)
    }
}
