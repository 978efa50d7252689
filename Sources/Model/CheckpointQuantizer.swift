// Packs all matrices of a checkpoint on all threads, one after the other, on their way from file to file.

import ModelIO
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
            pack: { matrix, format, panels in Self.pack(matrix, as: WeightFormat(format), into: panels, on: pool) },
            progress: progress
        )
    }

    private static func pack(
        _ matrix: TensorView,
        as format: WeightFormat,
        into panels: UnsafeMutableRawBufferPointer,
        on pool: WorkerPool
    ) {
        let (outputs, inputs) = (matrix.shape[0], matrix.shape[1])
        precondition(panels.count == format.byteCount(outputs: outputs, inputs: inputs))
        let type = ElementType(matrix.dtype)
        let rowBytes = inputs * type.byteCount
        let panelBytes = format.panelBytes(inputs: inputs)
        // An address, as a pointer may not cross into the tasks.
        nonisolated(unsafe) let destination = panels.baseAddress!
        pool.run(tasks: (outputs + WeightFormat.panel - 1) / WeightFormat.panel) { panel, _ in
            let first = panel * WeightFormat.panel
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
    }
}
