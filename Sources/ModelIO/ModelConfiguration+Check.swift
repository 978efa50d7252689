// The rules that tie the sizes of a model to each other.

extension ModelConfiguration {
    /// Upper limits, far above any model, so that no product of sizes can overflow: the largest, layers times `F` times `D`
    /// times the handful of matrices of a layer, stays below 2^61.
    enum Limit {
        static let vocabulary = 1 << 24
        static let hidden = 1 << 20
        static let intermediate = 1 << 22
        static let layers = 1 << 12
        static let context = 1 << 28
    }

    func check(file: String) throws(ModelFileError) {
        func expect(
            _ holds: Bool,
            _ key: String,
            _ problem: @autoclosure () -> String,
            _ expectation: @autoclosure () -> String
        ) throws(ModelFileError) {
            if !holds {
                throw ModelFileError(
                    .inconsistent,
                    file: file,
                    item: key,
                    problem: problem(),
                    expectation: expectation()
                )
            }
        }
        func expect(_ value: Int, _ key: String, in range: ClosedRange<Int>) throws(ModelFileError) {
            try expect(range.contains(value), key, "is \(value)", "\(range.lowerBound) to \(range.upperBound)")
        }

        try expect(vocabularySize, "vocab_size", in: 1...Limit.vocabulary)
        try expect(hiddenSize, "hidden_size", in: 1...Limit.hidden)
        try expect(intermediateSize, "intermediate_size", in: 1...Limit.intermediate)
        try expect(layerCount, "num_hidden_layers", in: 1...Limit.layers)
        try expect(contextLength, "max_position_embeddings", in: 1...Limit.context)

        let (width, heads, keyValueHeads) = (hiddenSize, headCount, keyValueHeadCount)
        try expect(heads, "num_attention_heads", in: 1...width)
        try expect(
            width.isMultiple(of: heads),
            "hidden_size",
            "is \(width)",
            "a multiple of num_attention_heads, \(heads)"
        )
        try expect(
            (width / heads).isMultiple(of: 2),
            "head_dim",
            "is \(width / heads) (hidden_size / num_attention_heads)",
            "an even number, for rotary positions"
        )
        try expect(keyValueHeads, "num_key_value_heads", in: 1...heads)

        try expect(!chains.isEmpty, "chains", "is empty", "the query heads of every chain")
        for (position, chain) in chains.enumerated() {
            let number = position + TensorName.firstChain
            try expect(
                chain > 0 && chain <= heads && chain.isMultiple(of: keyValueHeads),
                "chains",
                "chain \(number) has \(chain) heads",
                "a positive multiple of num_key_value_heads, \(keyValueHeads), as CoLM-Air tiles KV heads over each chain"
            )
            try expect(
                (intermediateSize * chain).isMultiple(of: heads),
                "intermediate_size",
                "is \(intermediateSize), which gives chain \(number) a width of "
                    + "\(intermediateSize) * \(chain) / \(heads)",
                "a whole number"
            )
        }
        // Each chain is at most `heads` and there are at most `heads` of them once the sum is right; no overflow before.
        let sum = chains.prefix(heads + 1).reduce(0, +)
        try expect(
            sum == heads && chains.count <= heads,
            "chains",
            "sum to \(sum)",
            "num_attention_heads, \(heads)"
        )

        try expect(
            normEpsilon.isFinite && normEpsilon >= 0,
            "rms_norm_eps",
            "is \(normEpsilon)",
            "a number from 0 up"
        )
        try expect(
            ropeTheta.isFinite && ropeTheta > 0,
            "rope_theta",
            "is \(ropeTheta)",
            "a positive number"
        )
        for (key, ids) in [("bos_token_id", bosTokenID.map { [$0] } ?? []), ("eos_token_id", eosTokenIDs)] {
            for id in ids {
                try expect(Int(id), key, in: 0...vocabularySize - 1)
            }
        }
        try quantization?.check(self, file: file, item: Quantization.key)
        for entry in quality {
            try expect(entry.chains, "catena.quality", in: 1...chains.count)
        }
    }
}
