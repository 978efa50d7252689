// The sizes that a forward pass needs at every step, computed once.

import ModelIO

/// Sizes of the first `k` chains of a model, with the sums over chains that place them in a row.
struct ModelShape {
    let layers: Int
    let vocabularySize: Int
    /// Chains that are loaded, `k`.
    let chains: Int
    let headSize: Int
    let kvHeads: Int
    /// `H_kv * headSize`
    let kvWidth: Int
    /// Position `i`: query heads of the first `i` chains, 0...k.
    let heads: [Int]
    /// Position `i`: the first column of chain `i + 1` in a row of width `D`, 0...k.
    let columns: [Int]
    /// Position `i`: the first column of chain `i + 1` in a row of width `F`, 0...k.
    let innerColumns: [Int]
    let normEpsilon: Float
    let ropeTheta: Double

    init(_ configuration: ModelConfiguration, chains: Int) {
        layers = configuration.layerCount
        vocabularySize = configuration.vocabularySize
        self.chains = chains
        headSize = configuration.headSize
        kvHeads = configuration.keyValueHeadCount
        kvWidth = configuration.keyValueWidth
        heads = (0...chains).map(configuration.headsThrough)
        columns = (0...chains).map(configuration.widthThrough)
        innerColumns = (0...chains).map(configuration.intermediateSizeThrough)
        normEpsilon = configuration.normEpsilon
        ropeTheta = configuration.ropeTheta
    }

    /// `D_1 + .. + D_k`
    var width: Int { columns[chains] }
    /// `F_1 + .. + F_k`
    var inner: Int { innerColumns[chains] }
}
