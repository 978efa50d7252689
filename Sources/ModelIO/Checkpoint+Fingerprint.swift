// A short name for "computes the same K and V", kept with every KV snapshot.

extension Checkpoint {
    /// Tensors up to this size are hashed whole, larger ones by samples.
    private static let wholeByteLimit = 1 << 16
    private static let sampleCount = 32
    private static let sampleByteCount = 512

    /// The fingerprint of the K and V that a model computes: 32 hexadecimal digits.
    ///
    /// In CoLM-Air a token's K and V are a function of chain 1 alone. So it covers the configuration and the tensors of chain
    /// 1, without the head, which K and V never meet, and nothing of the other chains: a cache stays valid, and must stay
    /// valid, across replicas that load different chain counts, after expansion, and after later chains were tuned.
    /// It tells models apart that differ by accident; it is no defence against one made to collide.
    ///
    /// Of each tensor it reads name, dtype, shape and up to 64 KiB, so that opening a large model stays quick.
    static func computeFingerprint(configuration: ModelConfiguration, chain1: SafetensorsFile) -> String {
        var hash = FNV128()
        let first = configuration.chains[0]
        hash.combine(
            "catena-kv-1 \(configuration.vocabularySize) \(configuration.layerCount) \(configuration.headSize) \(first) "
                + "\(configuration.keyValueHeadCount) \(configuration.chainIntermediateSizes[0]) "
                + "\(configuration.normEpsilon.bitPattern) \(configuration.ropeTheta.bitPattern)\n"
        )
        for name in TensorName.all(ofChain: TensorName.firstChain, in: configuration) {
            if case .head = name { continue }
            guard let tensor = chain1[name.description] else { continue }  // checked before: all are there
            hash.combine("\(tensor.name) \(tensor.dtype.rawValue) \(tensor.shape)\n")
            // Packed in another way, the same weights give other K and V.
            if let format = name.packing(in: configuration) {
                hash.combine("\(format.rawValue) packed as \(Quantization.version)\n")
            }
            if tensor.byteCount <= wholeByteLimit {
                hash.combine(tensor.bytes)
                continue
            }
            for sample in 0..<sampleCount {
                // From the first bytes to the last, evenly; the product of a file size and 32 cannot overflow.
                let start = (tensor.byteCount - sampleByteCount) * sample / (sampleCount - 1)
                hash.combine(UnsafeRawBufferPointer(rebasing: tensor.bytes[start..<start + sampleByteCount]))
            }
        }
        return hash.hexadecimal
    }
}

/// The FNV-1a hash of 128 bits (RFC 9923): stable over runs, machines and versions, unlike `Hasher`.
struct FNV128 {
    private var state: UInt128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d
    private static let prime: UInt128 = 0x0000_0000_0100_0000_0000_0000_0000_013B

    mutating func combine(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { state = (state ^ UInt128(byte)) &* Self.prime }
    }

    mutating func combine(_ text: String) { combine(text.utf8) }

    var hexadecimal: String {
        let digits = String(state, radix: 16)
        return String(repeating: "0", count: 32 - digits.count) + digits
    }
}
