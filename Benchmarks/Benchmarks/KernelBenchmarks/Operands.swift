// What the kernels work on: small random numbers, packed and laid out as the model does. Each operand keeps its memory for as
// long as it runs.

import Core
import KVCache
import Sampling
import Tensor

/// Floats from -1 to 1, reproducible.
final class Numbers {
    private let buffer: AlignedBuffer<Float>

    var pointer: UnsafeMutablePointer<Float> { buffer.pointer }
    var elements: UnsafeBufferPointer<Float> { UnsafeBufferPointer(buffer.elements) }

    init(count: Int) {
        buffer = AlignedBuffer(count: count)
        var state: UInt64 = 1
        for index in 0..<count {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            buffer[index] = Float(Int32(truncatingIfNeeded: state >> 32)) / Float(1 << 31)
        }
    }
}

/// A chain-linear product with one matrix.
final class Product {
    private let kernels = Kernels.active
    private let rows: Int
    private let memory: AlignedBuffer<UInt8>
    private let weights: WeightMatrix
    private let prepared: AlignedBuffer<UInt8>
    private let x: Activations
    private let y: Numbers

    init(format: WeightFormat, outputs: Int, inputs: Int, rows: Int) {
        self.rows = rows
        memory = AlignedBuffer(count: format.byteCount(outputs: outputs, inputs: inputs))
        withExtendedLifetime(Numbers(count: outputs * inputs)) {
            WeightMatrix.pack(
                into: memory.pointer,
                format: format,
                weights: $0.pointer,
                type: .f32,
                outputs: outputs,
                inputs: inputs
            )
        }
        weights = WeightMatrix(memory.pointer, format: format, rows: outputs, columns: inputs)
        let form = kernels.form(for: format)
        prepared = AlignedBuffer(count: rows * form.byteCount(inputs))
        x = Activations(prepared.pointer, stride: form.byteCount(inputs), form: form)
        withExtendedLifetime(Numbers(count: rows * inputs)) {
            kernels.prepare($0.pointer, stride: inputs, rows: rows, width: inputs, as: x)
        }
        y = Numbers(count: rows * outputs)
    }

    func run() {
        kernels.linear(
            y: y.pointer,
            yStride: weights.rows,
            x: x,
            rows: rows,
            weights: weights,
            outputs: 0..<weights.rows
        )
    }
}

/// Attention of consecutive rows of one sequence over one KV head.
final class PagedAttention {
    private let kernels = Kernels.active
    private let rows: Int, heads: Int, headSize: Int, context: Int
    private let pool: BlockPool
    private var table = BlockTable()
    private let query: Numbers
    private let output: Numbers
    private let scratch: Numbers

    /// - Parameter context: positions that the first row attends to.
    init(rows: Int, heads: Int, headSize: Int, context: Int) {
        (self.rows, self.heads, self.headSize, self.context) = (rows, heads, headSize, context)
        let layout = BlockLayout(layers: 1, kvHeads: 1, headSize: headSize, type: .bf16)
        pool = BlockPool(layout: layout, blocks: layout.blocks(for: context + rows))
        query = Numbers(count: rows * heads * headSize)
        output = Numbers(count: rows * heads * headSize)
        scratch = Numbers(count: Kernels.attentionScratch(headSize: headSize))
        guard pool.append(context + rows, to: &table) else { preconditionFailure("the pool was made for these tokens") }
        let numbers = Numbers(count: 2 * headSize)
        for position in 0..<context + rows {
            let block = pool.pointer(to: table.blocks[position / layout.blockTokens])
            kernels.storeKV(
                keys: block + layout.keyOffset(layer: 0, head: 0),
                values: block + layout.valueOffset(layer: 0, head: 0),
                type: .bf16,
                slot: position % layout.blockTokens,
                key: numbers.pointer,
                value: numbers.pointer + headSize,
                headSize: headSize
            )
        }
    }

    func run() {
        table.blocks.withUnsafeBufferPointer { blocks in
            kernels.attention(
                query: query.pointer,
                output: output.pointer,
                rowStride: heads * headSize,
                headStride: headSize,
                rows: rows,
                heads: heads,
                headSize: headSize,
                context: context,
                cache: pool.head(0, layer: 0),
                blockTable: blocks.baseAddress!,
                scratch: scratch.pointer
            )
        }
    }
}

/// RMSNorm of rows of 1024.
final class Norm {
    private let rows: Int
    private let x: Numbers, y: Numbers
    private let weight = Numbers(count: 1024)

    init(rows: Int) {
        self.rows = rows
        (x, y) = (Numbers(count: rows * 1024), Numbers(count: rows * 1024))
    }

    func run() {
        Kernels.active.rmsNorm(
            y: y.pointer,
            x: x.pointer,
            stride: 1024,
            rows: rows,
            weight: weight.pointer,
            width: 1024,
            epsilon: 1e-5
        )
    }
}

/// Rotary positions of 16 heads of 64.
final class Rotation {
    private let x = Numbers(count: 16 * 64), cosine = Numbers(count: 32), sine = Numbers(count: 32)

    func run() {
        Kernels.active.rope(x.pointer, heads: 16, headSize: 64, cosine: cosine.pointer, sine: sine.pointer)
    }
}

/// A token from 16384 logits.
final class Draw {
    private let logits = Numbers(count: 16384)
    private let parameters: SamplingParameters
    private var sampler = Sampler()
    private var index = 0

    init(_ parameters: SamplingParameters) { self.parameters = parameters }

    func run() -> TokenID {
        index += 1
        return sampler.sample(logits.elements, with: parameters, index: index)
    }
}
