// The shape of a model as a person writes it on the command line.

import ModelIO

extension ModelConfiguration {
    /// The shapes with a name: S and M to try things on, L with the sizes of Llama-3.2-1B.
    public static let namedShapes = [
        "S": "D=512,layers=8,kv=4,chains=4:4:4:4,F=1408,V=4096",
        "M": "D=1024,layers=16,kv=4,chains=4:4:4:4,F=2816,V=16384",
        "L": "D=2048,layers=16,kv=8,chains=8:8:8:8,F=8192,V=32000",
    ]

    /// Reads a shape: a name, `key=value` pairs, or a name and pairs that change it.
    ///
    /// ```
    /// M
    /// M,chains=2:2:4:8,kv=2
    /// D=1024,layers=16,heads=16,kv=4,chains=4:4:4:4,F=2816,V=16384,context=4096,tied=false
    /// ```
    ///
    /// `heads` is the sum of the chains and may be left out; `context` is 4096 and `tied` false if not given.
    ///
    /// - Throws: `.malformed` for what cannot be read, `.inconsistent` for sizes that do not fit each other.
    public init(shape text: String) throws(ModelFileError) {
        var values = ShapeValues()
        for (index, part) in text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
            if index == 0, let named = Self.namedShapes[part.uppercased()] {
                for pair in named.split(separator: ",") { try values.add(pair) }
                values.allowChanges()
            } else {
                try values.add(part)
            }
        }
        let chains = try values.chains()
        let heads = chains.reduce(0) { $0 &+ $1 }
        let tied = try values.flag("tied")
        try self.init(
            vocabularySize: values.number("V"),
            hiddenSize: values.number("D"),
            intermediateSize: values.number("F"),
            layerCount: values.number("layers"),
            headCount: values.number("heads", otherwise: heads),
            keyValueHeadCount: values.number("kv"),
            chains: chains,
            contextLength: values.number("context", otherwise: 4096),
            tiesEmbeddings: tied,
            bosTokenID: 0,
            eosTokenIDs: [0],
            file: ShapeValues.source
        )
    }

    /// The dense model of the same width: one chain of all heads, with as many KV heads a query head as chain 1 has.
    public func dense() throws(ModelFileError) -> ModelConfiguration {
        try ModelConfiguration(
            vocabularySize: vocabularySize,
            hiddenSize: hiddenSize,
            intermediateSize: intermediateSize,
            layerCount: layerCount,
            headCount: headCount,
            keyValueHeadCount: headCount * keyValueHeadCount / chains[0],
            chains: [headCount],
            normEpsilon: normEpsilon,
            ropeTheta: ropeTheta,
            contextLength: contextLength,
            tiesEmbeddings: tiesEmbeddings,
            bosTokenID: bosTokenID,
            eosTokenIDs: eosTokenIDs,
            file: ShapeValues.source
        )
    }
}

/// The pairs of a shape, read one by one.
private struct ShapeValues {
    /// Where the numbers come from, for messages.
    static let source = "shape"
    private static let keys = ["D", "layers", "heads", "kv", "chains", "F", "V", "context", "tied"]

    private var values: [String: Substring] = [:]
    /// Keys that a pair may no longer give.
    private var taken: Set<String> = []

    mutating func add(_ pair: Substring) throws(ModelFileError) {
        let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard halves.count == 2, Self.keys.contains(String(halves[0])) else {
            let names = ModelConfiguration.namedShapes.keys.sorted().joined(separator: ", ")
            throw Self.malformed(
                nil,
                "has '\(pair)'",
                "\(names) or KEY=VALUE with a key of \(Self.keys.joined(separator: ", "))"
            )
        }
        let key = String(halves[0])
        guard taken.insert(key).inserted else { throw Self.malformed(key, "is given twice", "one value") }
        values[key] = halves[1]
    }

    /// What follows may give every key once more.
    mutating func allowChanges() { taken = [] }

    func number(_ key: String, otherwise value: Int? = nil) throws(ModelFileError) -> Int {
        guard let text = values[key] else {
            guard let value else {
                throw Self.malformed(key, "is missing", "\(key)=NUMBER, or a named shape to start from")
            }
            return value
        }
        guard let number = Int(text) else { throw Self.malformed(key, "is '\(text)'", "a whole number") }
        return number
    }

    func chains() throws(ModelFileError) -> [Int] {
        guard let text = values["chains"] else {
            throw Self.malformed("chains", "is missing", "the query heads of every chain, chains=4:4:4:4 for example")
        }
        var chains: [Int] = []
        for part in text.split(separator: ":", omittingEmptySubsequences: false) {
            guard let heads = Int(part), heads > 0 else {
                throw Self.malformed("chains", "is '\(text)'", "query heads with colons between, 4:4:4:4 for example")
            }
            chains.append(heads)
        }
        return chains
    }

    func flag(_ key: String) throws(ModelFileError) -> Bool {
        switch values[key] {
        case nil, "false": return false
        case "true": return true
        case let text?: throw Self.malformed(key, "is '\(text)'", "true or false")
        }
    }

    private static func malformed(_ key: String?, _ problem: String, _ expectation: String) -> ModelFileError {
        ModelFileError(.malformed, file: source, item: key, problem: problem, expectation: expectation)
    }
}
