// What the arithmetic of CoLM-Air costs, in closed form: the figures that measurements are held against.

import ModelIO

/// Parameters, bytes and operations of a model by chain count, for equal and unequal chains.
///
/// Symbols are those of ``ModelConfiguration``; tier `i` is what chain `i` adds to a smaller model. Norms are left out, as
/// they are less than a thousandth of the weights.
public struct ChainCosts: Sendable {
    /// What a machine gives at its best.
    public struct Limits: Sendable, Hashable {
        /// Bytes a second, read from memory.
        public var bandwidth: Double
        /// Multiplications and additions a second, in the weights' arithmetic.
        public var operations: Double

        public init(bandwidth: Double, operations: Double) {
            self.bandwidth = bandwidth
            self.operations = operations
        }
    }

    public let configuration: ModelConfiguration
    /// Bytes of weights that a decode step reads for each tier, head included and embedding not.
    public let tierBytes: [Double]
    /// Bytes of a number in the KV cache.
    private let keyValueBytes = 2.0  // bf16, the server's default

    /// - Parameter tierBytes: as they are in the files, scales of quantised weights included.
    public init(_ configuration: ModelConfiguration, tierBytes: [Int]) {
        precondition(tierBytes.count == configuration.chainCount)
        self.configuration = configuration
        self.tierBytes = tierBytes.map(Double.init)
    }

    public init(_ configuration: ModelConfiguration, bytesPerWeight: Int) {
        self.init(
            configuration,
            tierBytes: (1...configuration.chainCount).map {
                Self.tierParameters($0, of: configuration) * bytesPerWeight
            }
        )
    }

    // MARK: Decode

    /// Parameters that a decode step of `chains` chains multiplies: `P(k) + V d k / n` for equal chains.
    public func parameters(chains: Int) -> Int {
        (0..<chains).reduce(0) { $0 + tierParameters($1 + 1) }
    }

    /// Parameters that chain `chain` (from 1) adds to a decode step.
    public func tierParameters(_ chain: Int) -> Int { Self.tierParameters(chain, of: configuration) }

    /// Bytes of weights that a decode step of `chains` chains reads, for any number of rows.
    public func decodeBytes(chains: Int) -> Double { tierBytes[..<chains].reduce(0, +) }

    /// Operations of one decoded token with `context` tokens before it.
    public func decodeOperations(chains: Int, context: Int) -> Double {
        2 * Double(parameters(chains: chains)) + attention(width: width(chains), context: context)
    }

    /// Seconds of a decode step of one row per element of `rows`, which says how many chains it has:
    /// `sum_i max(bytes_i / bandwidth, 2 m_i parameters_i / peak)` over the tiers, `m_i` rows of which have chain `i`, and
    /// attention over `context` tokens as one more such term.
    public func stepTime(rows: [Int], context: Int, limits: Limits) -> Double {
        var seconds = 0.0
        for chain in 1...configuration.chainCount {
            let count = rows.count { $0 >= chain }
            guard count > 0 else { break }
            seconds += max(
                tierBytes[chain - 1] / limits.bandwidth,
                2 * Double(count) * Double(tierParameters(chain)) / limits.operations
            )
        }
        let bytes = Double(rows.count) * Double(context) * keyValueBytesPerToken
        let operations = rows.reduce(0) { $0 + attention(width: width($1), context: context) }
        return seconds + max(bytes / limits.bandwidth, operations / limits.operations)
    }

    /// Bytes of one token's keys and values in all layers, the same for every chain count.
    public var keyValueBytesPerToken: Double {
        2 * Double(configuration.layerCount * configuration.keyValueWidth) * keyValueBytes
    }

    // MARK: Prefill

    /// Operations of a prompt of `tokens` tokens in closed form: all layers of chain 1, for every chain count.
    public func prefillOperations(tokens: Int) -> Double {
        Double(configuration.layerCount) * prefillLayerOperations(tokens: tokens)
    }

    /// Operations that a prompt needs: in the last layer its keys and values only.
    public func neededPrefillOperations(tokens: Int) -> Double {
        let keysAndValues = 4 * Double(configuration.keyValueWidth * configuration.chainWidths[0] * tokens)
        return Double(configuration.layerCount - 1) * prefillLayerOperations(tokens: tokens) + keysAndValues
    }

    private func prefillLayerOperations(tokens: Int) -> Double {
        let count = Double(tokens)
        // A token attends to half of the others on average.
        return count * 2 * Double(Self.layerParameters(1, of: configuration))
            + count * 4 * Double(width(1)) * count / 2
    }

    /// How many times the prefill of `dense` takes, in operations.
    public func prefillSpeedUp(over dense: ChainCosts, tokens: Int) -> Double {
        dense.prefillOperations(tokens: tokens) / prefillOperations(tokens: tokens)
    }

    /// Seconds from a prompt of `tokens` tokens to the logits after it: prefill at the peak, then one pass over the weights
    /// of the upper chains and of the head.
    public func firstTokenTime(tokens: Int, chains: Int, limits: Limits) -> Double {
        let head = tierBytes[0] * Double(headParameters(1)) / Double(tierParameters(1))
        let upper = decodeBytes(chains: chains) - tierBytes[0]
        return prefillOperations(tokens: tokens) / limits.operations + (head + upper) / limits.bandwidth
    }

    // MARK: Parts

    private func width(_ chains: Int) -> Int { configuration.widthThrough(chains: chains) }

    private func attention(width: Int, context: Int) -> Double {
        4 * Double(configuration.layerCount) * Double(width) * Double(context)
    }

    private func headParameters(_ chain: Int) -> Int { Self.headParameters(chain, of: configuration) }

    private static func headParameters(_ chain: Int, of configuration: ModelConfiguration) -> Int {
        configuration.vocabularySize * configuration.chainWidths[chain - 1]
    }

    private static func tierParameters(_ chain: Int, of configuration: ModelConfiguration) -> Int {
        configuration.layerCount * layerParameters(chain, of: configuration) + headParameters(chain, of: configuration)
    }

    /// Parameters of chain `chain` (from 1) in one layer: `Wq`, `Wo`, `Wgate`, `Wup`, `Wdown`; for chain 1 `Wk` and `Wv` too.
    private static func layerParameters(_ chain: Int, of configuration: ModelConfiguration) -> Int {
        let width = configuration.chainWidths[chain - 1]
        let inner = configuration.chainIntermediateSizes[chain - 1]
        let widthThrough = configuration.widthThrough(chains: chain)
        let innerThrough = configuration.intermediateSizeThrough(chains: chain)
        let keysAndValues = chain == 1 ? 2 * configuration.keyValueWidth * width : 0
        return 2 * width * widthThrough + 2 * inner * widthThrough + width * innerThrough + keysAndValues
    }
}
