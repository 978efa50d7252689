import ModelIO
import Testing

@testable import Benchmarking

/// Against the closed forms of docs/chains.md for equal chains, and sums by hand for unequal ones.
@Suite struct ChainCostsTests {
    private let medium: ChainCosts

    init() throws {
        medium = try ChainCosts(ModelConfiguration(shape: "M"), bytesPerWeight: 2)
    }

    /// `P(k) = L[(2d^2 + 3df) T(k) + 2g d^2 / n^2]`, `T(k) = k(k+1) / (2n^2)`, and the head `V d k / n`.
    @Test func parametersAreThoseOfTheClosedForm() {
        for chains in 1...4 {
            let triangle = Double(chains * (chains + 1)) / 32
            let body = 16 * ((2 * 1024 * 1024 + 3 * 1024 * 2816) * triangle + 2 * 1024 * 1024 / 16)
            #expect(Double(medium.parameters(chains: chains)) == body + 16384 * 1024 * Double(chains) / 4)
        }
        #expect(medium.parameters(chains: 4) == 126_353_408)
        #expect(medium.tierParameters(1) == medium.parameters(chains: 1))
    }

    @Test func decodeBytesOfShapeM() {
        #expect((medium.decodeBytes(chains: 4) / 1e6).rounded() == 253)
        #expect((medium.decodeBytes(chains: 1) / 1e6).rounded() == 34)
    }

    @Test func theDenseModelOfShapeM() throws {
        let dense = try ChainCosts(medium.configuration.dense(), bytesPerWeight: 2)
        #expect(dense.parameters(chains: 1) == 222_298_112)
    }

    /// The speed-ups of the architecture's page: d = 1024, f = 2816, 512 tokens, as many KV heads as chain 1 has heads.
    @Test(arguments: [(2, 3.8), (4, 14.3), (8, 50.2)])
    func prefillSpeedUp(chains: Int, expected: Double) throws {
        let heads = 16 / chains
        let list = Array(repeating: "\(heads)", count: chains).joined(separator: ":")
        let configuration = try ModelConfiguration(shape: "M,chains=\(list),kv=\(heads)")
        let costs = ChainCosts(configuration, bytesPerWeight: 2)
        let dense = try ChainCosts(configuration.dense(), bytesPerWeight: 2)
        #expect(abs(costs.prefillSpeedUp(over: dense, tokens: 512) - expected) < 0.05)
    }

    /// `2L[(2d^2 + 3df) + 2g d^2] / n^2 + 2LSd / n` a token.
    @Test func prefillOperations() {
        let token = 2 * 16 * Double(10_747_904 + 2_097_152) / 16 + 2 * 16 * 512 * 1024 / 4
        #expect(medium.prefillOperations(tokens: 512) == 512 * token)
        // 15 of 16 layers, and the last one's keys and values: 2 matrices of 256 x 256.
        let needed = 512 * token * 15 / 16 + 512 * 2 * 2 * 256 * 256
        #expect(medium.neededPrefillOperations(tokens: 512) == needed)
    }

    /// Two chains of 1 and 3 heads of 4, F = 8, in one layer: every matrix counted by hand.
    @Test func unequalChains() throws {
        let shape = "D=16,layers=1,kv=1,chains=1:3,F=8,V=300"
        let costs = try ChainCosts(ModelConfiguration(shape: shape), bytesPerWeight: 1)
        // q, o: 4x4; gate, up: 2x4; down: 4x2; k, v: 4x4; head: 300x4
        #expect(costs.tierParameters(1) == 2 * 16 + 3 * 8 + 2 * 16 + 1200)
        // q, o: 12x16; gate, up: 6x16; down: 12x8; head: 300x12
        #expect(costs.tierParameters(2) == 2 * 192 + 3 * 96 + 3600)
        // A query of 16 numbers against 10 keys, and its 10 values.
        #expect(costs.decodeOperations(chains: 2, context: 10) == Double(2 * costs.parameters(chains: 2) + 4 * 16 * 10))
        #expect(costs.keyValueBytesPerToken == 2 * 4 * 2)
    }

    /// One row pays for the bytes of its tiers; more rows ride along until arithmetic is the limit.
    @Test func stepTimes() {
        let limits = ChainCosts.Limits(bandwidth: 1e10, operations: 1e11)
        let bytes = medium.decodeBytes(chains: 4)
        #expect(abs(medium.stepTime(rows: [4], context: 0, limits: limits) - bytes / 1e10) < 1e-12)
        #expect(abs(medium.stepTime(rows: [4, 1, 1, 1], context: 0, limits: limits) - bytes / 1e10) < 1e-12)
        // A weight of 2 bytes takes 0.2 ns to read and 0.02 ns a row to use: from 10 rows on it is the arithmetic.
        let many = medium.stepTime(rows: Array(repeating: 1, count: 40), context: 0, limits: limits)
        #expect(abs(many - 80 * Double(medium.parameters(chains: 1)) / 1e11) < 1e-12)
        // Attention reads 16 KB a token of the context here.
        let context = medium.stepTime(rows: [1], context: 1000, limits: limits)
        let none = medium.stepTime(rows: [1], context: 0, limits: limits)
        #expect(abs(context - none - 16384 * 1000 / 1e10) < 1e-12)
    }

    @Test func firstTokenHardlyDependsOnTheChains() {
        let limits = ChainCosts.Limits(bandwidth: 1e10, operations: 1e11)
        let times = (1...4).map { medium.firstTokenTime(tokens: 512, chains: $0, limits: limits) }
        // The head of chain 1, then the tiers.
        #expect(abs(times[0] - medium.prefillOperations(tokens: 512) / 1e11 - 16384 * 256 * 2 / 1e10) < 1e-12)
        #expect(
            abs(times[3] - times[0] - (medium.decodeBytes(chains: 4) - medium.decodeBytes(chains: 1)) / 1e10) < 1e-12
        )
    }
}
