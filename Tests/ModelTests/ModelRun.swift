// A model with a cache, and sequences to run through it: what an engine does, in its plainest form.

import KVCache
import Model
import ModelIO
import Tensor
import Testing

final class ModelRun {
    struct Sequence {
        var table = BlockTable()
        var count: Int { table.tokenCount }
    }

    let model: ChainModel
    let cache: BlockPool

    init(
        _ checkpoint: Checkpoint,
        kernels: String = Kernels.active.name,
        backend: ComputeBackend = .native,
        workers: Int = 2,
        cache type: ElementType = .f32,
        weights: WeightPlacement = .copy,
        blockTokens: Int = 16,
        tokens: Int = 2048
    ) throws {
        var options = ChainModel.Options()
        options.kernels = try #require(Kernels(named: kernels))
        options.backend = backend
        options.workers = workers
        options.weights = weights
        model = try ChainModel(checkpoint, options: options)
        let layout = model.blockLayout(type: type, blockTokens: blockTokens)
        cache = BlockPool(layout: layout, blocks: layout.blocks(for: tokens))
    }

    func sequence() -> Sequence { Sequence() }

    /// Makes room for the tokens at the end of the sequence, as a segment of a batch.
    func segment(_ sequence: inout Sequence, _ tokens: [Int32], chains: Int, logits: Segment.Logits) -> Segment {
        let start = sequence.count
        let fits = cache.append(tokens.count, to: &sequence.table)
        precondition(fits, "the test's cache is too small")
        return Segment(tokens: tokens, start: start, blocks: sequence.table.blocks, chains: chains, logits: logits)
    }

    func run(_ segments: [Segment]) -> [[Float]] {
        let logits = model.forward(Batch(segments: segments), cache: cache)
        return (0..<logits.count).map { Array(logits[$0]) }
    }

    /// Runs tokens at the end of one sequence, alone.
    func run(_ sequence: inout Sequence, _ tokens: [Int32], chains: Int, logits: Segment.Logits) -> [[Float]] {
        run([segment(&sequence, tokens, chains: chains, logits: logits)])
    }

    /// Gives up the sequence's blocks.
    func end(_ sequence: inout Sequence) { cache.release(&sequence.table) }

    /// All bytes of a sequence's blocks.
    func bytes(of sequence: Sequence) -> [[UInt8]] { sequence.table.blocks.map { Array(cache.bytes(of: $0)) } }

    /// Keys and values of one token in one layer, `[H_kv * headSize]` each.
    func keyAndValue(of sequence: Sequence, layer: Int, position: Int) -> (key: [Float], value: [Float]) {
        let layout = cache.layout
        let (place, slot) = position.quotientAndRemainder(dividingBy: layout.blockTokens)
        let block = cache.bytes(of: sequence.table.blocks[place])
        func read(_ offset: Int, _ element: Int) -> Float {
            switch layout.type {
            case .f32: block.loadUnaligned(fromByteOffset: offset + element * 4, as: Float.self)
            case .bf16:
                ScalarOracle.float(bf16: block.loadUnaligned(fromByteOffset: offset + element * 2, as: UInt16.self))
            case .f16: preconditionFailure("no cache is f16")
            }
        }
        var (key, value): ([Float], [Float]) = ([], [])
        for head in 0..<layout.kvHeads {
            for dimension in 0..<layout.headSize {
                let keyElement = layout.keyElement(slot: slot, dimension: dimension)
                let valueElement = layout.valueElement(slot: slot, dimension: dimension)
                key.append(read(layout.keyOffset(layer: layer, head: head), keyElement))
                value.append(read(layout.valueOffset(layer: layer, head: head), valueElement))
            }
        }
        return (key, value)
    }

    /// Compares the cache with keys and values `[layer * tokens + token][H_kv * headSize]`.
    func expectCache(of sequence: Sequence, keys: [[Float]], values: [[Float]], tolerance: Float = 1e-4) {
        #expect(keys.count == cache.layout.layers * sequence.count)
        for layer in 0..<cache.layout.layers {
            for position in 0..<sequence.count {
                let (key, value) = keyAndValue(of: sequence, layer: layer, position: position)
                let row = layer * sequence.count + position
                #expect(largestDifference(key, keys[row]) <= tolerance, "key of token \(position) in layer \(layer)")
                #expect(
                    largestDifference(value, values[row]) <= tolerance,
                    "value of token \(position) in layer \(layer)"
                )
            }
        }
    }
}
