import Core
import Foundation
import TestSupport
import Testing

@testable import Sampling

/// The rules about logits, each against its formula in plain words, and all of them together.
@Suite struct LogitAdjustmentTests {
    private func request(
        _ sampling: SamplingParameters,
        prompt: [TokenID] = [1, 2],
        min: Int = 0,
        endTokens: Set<TokenID> = []
    ) -> GenerationRequest {
        GenerationRequest(
            id: "r",
            prompt: prompt,
            maxTokens: 100,
            minTokens: min,
            sampling: sampling,
            endTokens: endTokens
        )
    }

    private func adjusted(_ logits: [Float], by adjustment: LogitAdjustment) -> [Float] {
        var logits = logits
        logits.withUnsafeMutableBufferPointer { adjustment.apply(to: $0) }
        return logits
    }

    @Test func requestsWithoutRulesHaveNoAdjustment() {
        let all = SamplingParameters(temperature: 0.5, topK: 3, topP: 0.5, minP: 0.1, typicalP: 0.5, seed: 1)
        #expect(LogitAdjustment(request(all, endTokens: [3])) == nil)
        #expect(LogitAdjustment(request(all, min: 5)) == nil, "there is no end to forbid")
    }

    @Test func repetitionCountsPromptAndAnswerOnce() throws {
        var adjustment = try #require(
            LogitAdjustment(request(.init(repetitionPenalty: 2, seed: 1), prompt: [0, 0, 1]))
        )
        #expect(adjusted([4, -4, 4, -4], by: adjustment) == [2, -8, 4, -4])
        adjustment.append(3)
        adjustment.append(3)
        adjustment.append(0)
        #expect(adjusted([4, -4, 4, -4], by: adjustment) == [2, -8, 4, -8])
        #expect(adjusted([0, -.infinity, 1, .infinity], by: adjustment) == [0, -.infinity, 1, .infinity])
    }

    /// OpenAI's documentation: `mu[j] - c[j] * alpha_frequency - float(c[j] > 0) * alpha_presence`, c of sampled tokens.
    @Test func penaltiesCountTheAnswerOnly() throws {
        let sampling = SamplingParameters(presencePenalty: 0.5, frequencyPenalty: 0.25, seed: 1)
        var adjustment = try #require(LogitAdjustment(request(sampling, prompt: [0, 1, 2])))
        #expect(adjusted([1, 1, 1, 1], by: adjustment) == [1, 1, 1, 1])
        for token: TokenID in [1, 3, 3, 3] { adjustment.append(token) }
        #expect(adjusted([1, 1, 1, 1], by: adjustment) == [1, 0.25, 1, -0.25])
    }

    @Test(arguments: [(Float(-2), Float(0)), (0, -2), (1, 2)])
    func eachPenaltyAlone(presence: Float, frequency: Float) throws {
        let sampling = SamplingParameters(presencePenalty: presence, frequencyPenalty: frequency, seed: 1)
        var adjustment = try #require(LogitAdjustment(request(sampling)))
        adjustment.append(2)
        adjustment.append(2)
        #expect(adjusted([0, 0, 0], by: adjustment) == [0, 0, -presence - 2 * frequency])
    }

    @Test func biasIsAdded() throws {
        let adjustment = try #require(LogitAdjustment(request(.init(bias: [0: -100, 2: 1.5], seed: 1))))
        #expect(adjusted([1, 1, 1], by: adjustment) == [-99, 1, 2.5])
    }

    @Test func endTokensAreForbiddenUntilTheAnswerIsLongEnough() throws {
        var adjustment = try #require(
            LogitAdjustment(request(.init(bias: [1: 100], seed: 1), min: 2, endTokens: [1, 3]))
        )
        for _ in 0..<2 {
            #expect(adjusted([1, 1, 1, 1], by: adjustment) == [1, -.infinity, 1, -.infinity])
            adjustment.append(0)
        }
        #expect(adjusted([1, 1, 1, 1], by: adjustment) == [1, 101, 1, 1])
    }

    @Test func aMinimumAloneIsOverWhenItIsReached() throws {
        var adjustment = try #require(LogitAdjustment(request(.init(seed: 1), min: 1, endTokens: [1])))
        #expect(adjustment.isDue)
        adjustment.append(0)
        #expect(!adjustment.isDue)
        var sampler = Sampler()
        let token = [0, 5, 0].withUnsafeBufferPointer {
            sampler.sample($0, with: .init(temperature: 0, seed: 1), adjustment: adjustment, index: 1)
        }
        #expect(token == 1)
    }

    /// All rules at once against a twin that walks the vocabulary, over an answer that grows.
    @Test(arguments: 1...8) func agreesWithTheNaiveTwin(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let size = 40
        let ids = 0..<TokenID(size)
        var sampling = SamplingParameters(seed: seed)
        sampling.repetitionPenalty = .random(in: 0.5...2, using: &random)
        sampling.presencePenalty = .random(in: -2...2, using: &random)
        sampling.frequencyPenalty = .random(in: -2...2, using: &random)
        for id in ids where Bool.random(using: &random) { sampling.bias[id] = .random(in: -100...100, using: &random) }
        let prompt = (0..<15).map { _ in ids.randomElement(using: &random)! }
        let ends: Set<TokenID> = [3, 17]
        var adjustment = try #require(LogitAdjustment(request(sampling, prompt: prompt, min: 6, endTokens: ends)))
        var answer: [TokenID] = []
        for _ in 0..<12 {
            let logits = ids.map { _ in Float.random(in: -8...8, using: &random) }
            let twin = ids.map { id -> Float in
                var logit = logits[Int(id)]
                if (prompt + answer).contains(id) {
                    logit = logit < 0 ? logit * sampling.repetitionPenalty : logit / sampling.repetitionPenalty
                }
                let count = answer.count { $0 == id }
                logit -= Float(count) * sampling.frequencyPenalty + (count > 0 ? sampling.presencePenalty : 0)
                logit += sampling.bias[id] ?? 0
                return answer.count < 6 && ends.contains(id) ? -.infinity : logit
            }
            #expect(adjusted(logits, by: adjustment) == twin)
            let token = ids.randomElement(using: &random)!
            adjustment.append(token)
            answer.append(token)
        }
    }

    /// A sampler serves many requests in turn: what one adjusts the next must not see.
    @Test func theModelsLogitsStayAsTheyAre() throws {
        let logits = (0..<50).map { Float($0 % 7) }
        let biased = try #require(LogitAdjustment(request(.init(bias: [9: 100], seed: 1))))
        var sampler = Sampler()
        logits.withUnsafeBufferPointer { logits in
            let greedy = SamplingParameters(temperature: 0, seed: 1)
            #expect(sampler.sample(logits, with: greedy, adjustment: biased, index: 0) == 9)
            #expect(sampler.sample(logits, with: greedy, index: 0) == 6)
            let drawn = SamplingParameters(seed: 3)
            #expect(sampler.sample(logits, with: drawn, adjustment: biased, index: 0) == 9)
            var fresh = Sampler()
            let alone = (0..<50).map { fresh.sample(logits, with: drawn, index: $0) }
            #expect((0..<50).map { sampler.sample(logits, with: drawn, index: $0) } == alone)
        }
        #expect(logits == (0..<50).map { Float($0 % 7) })
    }

    @Test func everythingForbiddenStillGivesAToken() throws {
        let adjustment = try #require(LogitAdjustment(request(.init(seed: 1), min: 1, endTokens: [0, 1])))
        var sampler = Sampler()
        for temperature: Float in [0, 1] {
            let token = [1, 2].withUnsafeBufferPointer {
                sampler.sample($0, with: .init(temperature: temperature, seed: 1), adjustment: adjustment, index: 0)
            }
            #expect((0...1).contains(token))
        }
    }
}
