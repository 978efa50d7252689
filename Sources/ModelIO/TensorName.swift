// What the tensors of a checkpoint are called, which file each is in, and what shape it has. One place for all of it.

/// A tensor of a CoLM-Air checkpoint.
///
/// Chains count from ``firstChain``, in tensor names and in file names; layers from 0. `D_i` and `F_i` are the widths of chain
/// `i`, `D_<=i` and `F_<=i` sums over the chains up to it, `V` the vocabulary.
public enum TensorName: Sendable, Hashable, CustomStringConvertible {
    /// `[V, D_i]`
    case embedding(chain: Int)
    /// `[D_i, D_<=i]`
    case query(layer: Int, chain: Int)
    /// `[H_kv * head_dim, D_1]`, in the file of chain 1
    case key(layer: Int)
    /// `[H_kv * head_dim, D_1]`, in the file of chain 1
    case value(layer: Int)
    /// `[D_i, D_<=i]`
    case attentionOutput(layer: Int, chain: Int)
    /// `[F_i, D_<=i]`
    case gate(layer: Int, chain: Int)
    /// `[F_i, D_<=i]`
    case up(layer: Int, chain: Int)
    /// `[D_i, F_<=i]`
    case down(layer: Int, chain: Int)
    /// `[D_i]`, before attention
    case inputNorm(layer: Int, chain: Int)
    /// `[D_i]`, before the feed-forward part
    case postAttentionNorm(layer: Int, chain: Int)
    /// `[D_i]`
    case finalNorm(chain: Int)
    /// `[V, D_i]`; absent when tied to the embedding
    case head(chain: Int)

    /// The number of the first chain in names of tensors and files.
    public static let firstChain = 1

    /// The name in the safetensors file, `model.layers.0.self_attn.q_proj.chains.1.weight` for example.
    public var description: String {
        switch self {
        case .embedding(let chain): "model.embed_tokens.chains.\(chain).weight"
        case .query(let layer, let chain): "model.layers.\(layer).self_attn.q_proj.chains.\(chain).weight"
        case .key(let layer): "model.layers.\(layer).self_attn.k_proj.weight"
        case .value(let layer): "model.layers.\(layer).self_attn.v_proj.weight"
        case .attentionOutput(let layer, let chain): "model.layers.\(layer).self_attn.o_proj.chains.\(chain).weight"
        case .gate(let layer, let chain): "model.layers.\(layer).mlp.gate_proj.chains.\(chain).weight"
        case .up(let layer, let chain): "model.layers.\(layer).mlp.up_proj.chains.\(chain).weight"
        case .down(let layer, let chain): "model.layers.\(layer).mlp.down_proj.chains.\(chain).weight"
        case .inputNorm(let layer, let chain): "model.layers.\(layer).input_layernorm.chains.\(chain).weight"
        case .postAttentionNorm(let layer, let chain):
            "model.layers.\(layer).post_attention_layernorm.chains.\(chain).weight"
        case .finalNorm(let chain): "model.norm.chains.\(chain).weight"
        case .head(let chain): "lm_head.chains.\(chain).weight"
        }
    }

    /// The chain whose file holds the tensor.
    public var chain: Int {
        switch self {
        case .embedding(let chain), .finalNorm(let chain), .head(let chain): chain
        case .query(_, let chain), .attentionOutput(_, let chain), .gate(_, let chain), .up(_, let chain),
            .down(_, let chain), .inputNorm(_, let chain), .postAttentionNorm(_, let chain):
            chain
        case .key, .value: Self.firstChain
        }
    }

    /// Whether it is a matrix of weights or embeddings, rather than a norm's vector.
    public var isMatrix: Bool {
        switch self {
        case .inputNorm, .postAttentionNorm, .finalNorm: false
        default: true
        }
    }

    public var isEmbedding: Bool {
        if case .embedding = self { true } else { false }
    }

    public var isHead: Bool {
        if case .head = self { true } else { false }
    }

    /// The shape that `configuration` gives the tensor.
    public func shape(in configuration: ModelConfiguration) -> [Int] {
        let vocabulary = configuration.vocabularySize
        let position = chain - Self.firstChain
        let width = configuration.chainWidths[position]
        let widthThrough = configuration.widthThrough(chains: position + 1)
        let inner = configuration.chainIntermediateSizes[position]
        let innerThrough = configuration.intermediateSizeThrough(chains: position + 1)
        switch self {
        case .embedding, .head: return [vocabulary, width]
        case .query, .attentionOutput: return [width, widthThrough]
        case .key, .value: return [configuration.keyValueWidth, width]
        case .gate, .up: return [inner, widthThrough]
        case .down: return [width, innerThrough]
        case .inputNorm, .postAttentionNorm, .finalNorm: return [width]
        }
    }

    /// Every tensor of chain `chain` (from ``firstChain``) of a checkpoint, in the order the forward pass meets them.
    public static func all(ofChain chain: Int, in configuration: ModelConfiguration) -> [TensorName] {
        var names: [TensorName] = [.embedding(chain: chain)]
        for layer in 0..<configuration.layerCount {
            names += [.inputNorm(layer: layer, chain: chain), .query(layer: layer, chain: chain)]
            if chain == firstChain { names += [.key(layer: layer), .value(layer: layer)] }
            names += [
                .attentionOutput(layer: layer, chain: chain), .postAttentionNorm(layer: layer, chain: chain),
                .gate(layer: layer, chain: chain), .up(layer: layer, chain: chain), .down(layer: layer, chain: chain),
            ]
        }
        names.append(.finalNorm(chain: chain))
        if !configuration.tiesEmbeddings { names.append(.head(chain: chain)) }
        return names
    }

    /// The file of chain `chain` (from ``firstChain``) of `count`: `chain-1-of-4.safetensors`.
    public static func fileName(ofChain chain: Int, of count: Int) -> String {
        "chain-\(chain)-of-\(count).safetensors"
    }
}
