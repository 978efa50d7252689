// The weights of the first k chains, packed for the kernels.

import ModelIO
import Tensor

/// A checkpoint's weights, by layer and chain (position 0 is chain 1).
///
/// Matrices of row-major checkpoints are packed once, at loading; those of packed checkpoints are copied into large pages, or
/// used where they are mapped. An embedding of its own stays mapped: a token reads one row of it.
/// Norms are copied, to f32: they are small and read element by element.
// proof of Sendable: constants; the mapped pages, `store` and `norms` never change after init
final class ChainWeights: @unchecked Sendable {
    struct Layer {
        /// `[D]`, all chains, before attention and before the feed-forward part.
        var inputNorm: UnsafePointer<Float>
        var postAttentionNorm: UnsafePointer<Float>
        /// `[D_i, D_<=i]`
        var query: [WeightMatrix] = []
        /// `[H_kv * headSize, D_1]`
        var key: WeightMatrix
        var value: WeightMatrix
        /// `[D_i, D_<=i]`
        var attentionOutput: [WeightMatrix] = []
        /// `[F_i, D_<=i]`
        var gate: [WeightMatrix] = []
        var up: [WeightMatrix] = []
        /// `[D_i, F_<=i]`
        var down: [WeightMatrix] = []
    }

    /// `[V, D_i]` of one chain: its rows are hidden vectors.
    enum Embedding {
        /// As in the file.
        case rows(TensorView, ElementType)
        /// The head's own matrix, or a packed one.
        case packed(WeightMatrix)

        func copyRow(_ row: Int, to destination: UnsafeMutablePointer<Float>, kernels: Kernels) {
            switch self {
            case .rows(let tensor, let type):
                let columns = tensor.shape[1]
                let start = tensor.pointer + row * columns * type.byteCount
                kernels.toFloat(y: destination, x: start, type: type, count: columns)
            case .packed(let matrix):
                matrix.copyRow(row, to: destination)
            }
        }
    }

    let layers: [Layer]
    let embedding: [Embedding]
    /// `[V, D_i]`
    let head: [WeightMatrix]
    /// `[D]`, all chains.
    let finalNorm: UnsafePointer<Float>
    /// The format of all matrices of the layers, and of the head.
    let bodyFormat: WeightFormat
    let headFormat: WeightFormat
    private let norms: AlignedBuffer<Float>
    private let store: WeightStore
    private let checkpoint: Checkpoint

    init(
        _ checkpoint: Checkpoint,
        placement: WeightPlacement = .copy,
        pool: WorkerPool
    ) throws(ModelFileError) {
        let configuration = checkpoint.configuration
        let chains = TensorName.firstChain..<TensorName.firstChain + checkpoint.chainCount
        let names = chains.flatMap { TensorName.all(ofChain: $0, in: configuration) }
        let heads = names.filter { configuration.tiesEmbeddings ? $0.isEmbedding : $0.isHead }
        let body = names.filter { $0.isMatrix && !$0.isEmbedding && !$0.isHead }
        let bodyFormat = try Self.format(of: body, in: checkpoint)
        let headFormat = try Self.format(of: heads, in: checkpoint)

        let store = WeightStore(
            byteCount: configuration.quantization != nil && placement == .map
                ? 0
                : (body.map { ($0, bodyFormat) } + heads.map { ($0, headFormat) }).reduce(0) {
                    let shape = $1.0.shape(in: configuration)
                    return $0 + WeightStore.space(outputs: shape[0], inputs: shape[1], format: $1.1)
                }
        )
        func matrix(_ name: TensorName, as format: WeightFormat) throws(ModelFileError) -> WeightMatrix {
            let isPacked = name.packing(in: configuration) != nil
            guard !isPacked || placement == .copy else { return try mapped(name, as: format) }
            let tensor = try checkpoint.weight(name), shape = name.shape(in: configuration)
            let type = isPacked ? nil : ElementType(tensor.dtype)
            return store.add(tensor, type: type, outputs: shape[0], inputs: shape[1], as: format)
        }
        func mapped(_ name: TensorName, as format: WeightFormat) throws(ModelFileError) -> WeightMatrix {
            let shape = name.shape(in: configuration)
            return WeightMatrix(
                try checkpoint.weight(name).pointer,
                format: format,
                rows: shape[0],
                columns: shape[1]
            )
        }
        func matrices(_ name: (Int) -> TensorName) throws(ModelFileError) -> [WeightMatrix] {
            var all: [WeightMatrix] = []
            for chain in chains { all.append(try matrix(name(chain), as: bodyFormat)) }
            return all
        }

        let width = configuration.widthThrough(chains: checkpoint.chainCount)
        let norms = AlignedBuffer<Float>(count: (2 * configuration.layerCount + 1) * width)
        var filled = 0
        func norm(
            _ name: (Int) -> TensorName,
            into destination: UnsafeMutablePointer<Float>
        ) throws(ModelFileError) -> UnsafePointer<Float> {
            let start = destination + filled
            for chain in chains {
                let tensor = try checkpoint.weight(name(chain))
                tensor.copyFloats(into: .init(start: destination + filled, count: tensor.elementCount))
                filled += tensor.elementCount
            }
            return UnsafePointer(start)
        }

        var layers: [Layer] = []
        for layer in 0..<configuration.layerCount {
            layers.append(
                Layer(
                    inputNorm: try norm({ .inputNorm(layer: layer, chain: $0) }, into: norms.pointer),
                    postAttentionNorm: try norm({ .postAttentionNorm(layer: layer, chain: $0) }, into: norms.pointer),
                    query: try matrices { .query(layer: layer, chain: $0) },
                    key: try matrix(.key(layer: layer), as: bodyFormat),
                    value: try matrix(.value(layer: layer), as: bodyFormat),
                    attentionOutput: try matrices { .attentionOutput(layer: layer, chain: $0) },
                    gate: try matrices { .gate(layer: layer, chain: $0) },
                    up: try matrices { .up(layer: layer, chain: $0) },
                    down: try matrices { .down(layer: layer, chain: $0) }
                )
            )
        }
        var head: [WeightMatrix] = []
        for name in heads { head.append(try matrix(name, as: headFormat)) }
        var embedding: [Embedding] = []
        for (position, chain) in chains.enumerated() {
            if configuration.tiesEmbeddings {
                embedding.append(.packed(head[position]))
            } else if configuration.quantization != nil {
                embedding.append(.packed(try mapped(.embedding(chain: chain), as: headFormat)))
            } else {
                let tensor = try checkpoint.weight(.embedding(chain: chain))
                embedding.append(.rows(tensor, ElementType(tensor.dtype)))
            }
        }
        // Everything is read: now, or with the first steps.
        if configuration.quantization != nil { checkpoint.prefetch() }
        store.fill(on: pool)

        self.layers = layers
        self.embedding = embedding
        self.head = head
        self.bodyFormat = bodyFormat
        self.headFormat = headFormat
        finalNorm = try norm({ .finalNorm(chain: $0) }, into: norms.pointer)
        self.norms = norms
        self.store = store
        self.checkpoint = checkpoint
    }

    /// The format that all of some matrices are packed in: that of a packed checkpoint, or their own.
    ///
    /// Products of one input share its form, so they must share the weights' format; and a format that depended on the chains
    /// loaded would make keys and values depend on them.
    private static func format(
        of names: [TensorName],
        in checkpoint: Checkpoint
    ) throws(ModelFileError) -> WeightFormat {
        if let packing = names.first?.packing(in: checkpoint.configuration) { return WeightFormat(packing) }
        var types: Set<ElementType> = []
        for name in names { types.insert(ElementType(try checkpoint.weight(name).dtype)) }
        guard types.count == 1, let type = types.first else {
            throw ModelFileError(
                .unsupported,
                file: checkpoint.folder,
                problem: "has matrices of several float types (\(names[0]) and others)",
                expectation: "one type for all matrices of the layers, and one for those of the head"
            )
        }
        return WeightFormat(type)
    }
}
