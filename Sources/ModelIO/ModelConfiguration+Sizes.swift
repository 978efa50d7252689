// Sizes that follow from the configuration.

extension ModelConfiguration {
    /// `n`
    public var chainCount: Int { chains.count }
    /// `D / H`
    public var headSize: Int { hiddenSize / headCount }
    /// `H_kv * head_dim`, the width of K and of V of one token.
    public var keyValueWidth: Int { keyValueHeadCount * headSize }
    /// `D_1..D_n`
    public var chainWidths: [Int] { chains.map { $0 * headSize } }
    /// `F_1..F_n`
    public var chainIntermediateSizes: [Int] { chains.map { intermediateSize * $0 / headCount } }

    /// `H_1 + .. + H_k`, the query heads of the first `count` chains, 0...n.
    public func headsThrough(chains count: Int) -> Int { chains[..<count].reduce(0, +) }
    /// `D_1 + .. + D_k`, the hidden width of the first `count` chains, 0...n.
    public func widthThrough(chains count: Int) -> Int { headsThrough(chains: count) * headSize }
    /// `F_1 + .. + F_k`, the feed-forward width of the first `count` chains, 0...n.
    public func intermediateSizeThrough(chains count: Int) -> Int {
        intermediateSize * headsThrough(chains: count) / headCount
    }

    /// Parameters in the file of chain `chain` (from ``TensorName/firstChain``), a tied head counted once.
    public func parameterCount(ofChain chain: Int) -> Int {
        TensorName.all(ofChain: chain, in: self).reduce(0) { $0 + $1.shape(in: self).reduce(1, *) }
    }

    /// Parameters of the model made of the first `count` chains, 0...n.
    public func parameterCount(chains count: Int) -> Int {
        (0..<count).reduce(0) { $0 + parameterCount(ofChain: $1 + TensorName.firstChain) }
    }

    /// Bytes of the weights of chain `chain` (from ``TensorName/firstChain``) when all are of type `dtype`.
    public func byteCount(ofChain chain: Int, as dtype: DType) -> Int {
        parameterCount(ofChain: chain) * dtype.byteCount
    }
}
