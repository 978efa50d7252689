// The weights of the first k chains, where they are mapped.

import ModelIO
import Tensor

/// Views of a checkpoint's weights, by layer and chain (position 0 is chain 1), in their stored types.
///
/// Only the norms are copied, to f32: they are small and read element by element.
// proof of Sendable: constants; the mapped pages and `norms` never change after init
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

    let layers: [Layer]
    /// `[V, D_i]`
    let embedding: [WeightMatrix]
    /// `[V, D_i]`, the embedding when tied.
    let head: [WeightMatrix]
    /// `[D]`, all chains.
    let finalNorm: UnsafePointer<Float>
    private let norms: AlignedBuffer<Float>
    private let checkpoint: Checkpoint

    init(_ checkpoint: Checkpoint) throws(ModelFileError) {
        let configuration = checkpoint.configuration
        let chains = 1...checkpoint.chainCount
        let width = configuration.widthThrough(chains: checkpoint.chainCount)

        func matrix(_ name: TensorName) throws(ModelFileError) -> WeightMatrix {
            let tensor = try checkpoint.weight(name)
            let type: ElementType =
                switch tensor.dtype {
                case .f32: .f32
                case .bf16: .bf16
                case .f16: .f16
                default: preconditionFailure("\(name): \(tensor.dtype) got past the checkpoint's check")
                }
            return WeightMatrix(tensor.pointer, type: type, rows: tensor.shape[0], columns: tensor.shape[1])
        }
        func matrices(_ name: (Int) -> TensorName) throws(ModelFileError) -> [WeightMatrix] {
            var all: [WeightMatrix] = []
            for chain in chains { all.append(try matrix(name(chain))) }
            return all
        }

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
                    key: try matrix(.key(layer: layer)),
                    value: try matrix(.value(layer: layer)),
                    attentionOutput: try matrices { .attentionOutput(layer: layer, chain: $0) },
                    gate: try matrices { .gate(layer: layer, chain: $0) },
                    up: try matrices { .up(layer: layer, chain: $0) },
                    down: try matrices { .down(layer: layer, chain: $0) }
                )
            )
        }
        self.layers = layers
        embedding = try matrices { .embedding(chain: $0) }
        head = configuration.tiesEmbeddings ? embedding : try matrices { .head(chain: $0) }
        finalNorm = try norm({ .finalNorm(chain: $0) }, into: norms.pointer)
        self.norms = norms
        self.checkpoint = checkpoint
    }
}
