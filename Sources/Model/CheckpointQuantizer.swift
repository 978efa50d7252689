// Packs all matrices of a checkpoint on all threads, one after the other, on their way from file to file.

import ModelIO
import Synchronization
import Tensor

/// Writes a copy of a checkpoint whose matrices are packed for the kernels, so that ``ChainModel`` uses them where they are
/// mapped. The result depends on neither the threads nor the machine.
public struct CheckpointQuantizer: ~Copyable {
    private let writer: PackedCheckpointWriter
    private let pool: WorkerPool

    /// - Parameters:
    ///   - checkpoint: with all chains loaded
    ///   - output: a new folder, or an empty one
    ///   - workers: threads that pack; nil is one per processor
    /// - Throws: what ``PackedCheckpointWriter/init(_:as:output:)`` refuses.
    public init(
        _ checkpoint: Checkpoint,
        to target: PackedFormat,
        output: String,
        workers: Int? = nil
    ) throws(ModelFileError) {
        writer = try PackedCheckpointWriter(checkpoint, as: Quantization(target: target), output: output)
        pool = WorkerPool(workers: workers)
    }

    /// Bytes of the packed weights.
    public var byteCount: Int { writer.byteCount }

    /// Writes the copy.
    /// - Parameter progress: told how many of the ``byteCount`` bytes are written
    public consuming func run(progress: (Int) -> Void = { _ in }) throws(ModelFileError) {
        let pool = pool
        try writer.write(
            pack: { Self.pack($0, as: $1, into: $2, on: pool) },
            progress: progress
        )
    }

    /// Returns the first element that the format does not hold.
    private static func pack(
        _ matrix: TensorView,
        as packing: PackedFormat,
        into panels: UnsafeMutableRawBufferPointer,
        on pool: WorkerPool
    ) -> Int? {
        let format = WeightFormat(packing), limit = packing.largestMagnitude
        let (outputs, inputs) = (matrix.shape[0], matrix.shape[1])
        let refused = Mutex(Int.max)
        precondition(panels.count == format.byteCount(outputs: outputs, inputs: inputs))
        let type = ElementType(matrix.dtype)
        let rowBytes = inputs * type.byteCount
        let panelBytes = format.panelBytes(inputs: inputs)
        // An address, as a pointer may not cross into the tasks.
        nonisolated(unsafe) let destination = panels.baseAddress!
        pool.run(tasks: (outputs + WeightFormat.panel - 1) / WeightFormat.panel) { panel, _ in
            let first = panel * WeightFormat.panel
            let elements = first * inputs..<min(first + WeightFormat.panel, outputs) * inputs
            if let element = matrix.firstElement(beyond: limit, in: elements) {
                refused.withLock { $0 = min($0, element) }
                return
            }
            WeightMatrix.pack(
                into: destination + panel * panelBytes,
                format: format,
                weights: matrix.pointer + first * rowBytes,
                type: type,
                outputs: min(WeightFormat.panel, outputs - first),
                inputs: inputs
            )
        }
        matrix.releasePages(0..<matrix.byteCount)
        return refused.withLock { $0 == Int.max ? nil : $0 }
    }
}
