// Packs a checkpoint's matrices for the kernels: once, at loading, on all threads.

import ModelIO
import Tensor

/// The packed copies of matrices that a checkpoint holds in the usual row-major formats.
///
/// Matrices are added first, so that one allocation in large pages holds them all, and filled then. The file's pages are let
/// go as they are read: what stays in memory is one copy.
final class WeightStore {
    private struct Job {
        var tensor: TensorView
        var type: ElementType
        var matrix: WeightMatrix
        var destination: UnsafeMutableRawPointer
    }

    private let memory: AlignedBuffer<UInt8>
    private var used = 0
    private var jobs: [Job] = []
    /// Outputs that one task packs.
    private static let stretch = 16 * WeightFormat.panel

    /// - Parameter byteCount: the sum of ``space(outputs:inputs:format:)`` of all matrices that will be added
    init(byteCount: Int) { memory = AlignedBuffer(count: byteCount, isHuge: true) }

    /// Bytes that a matrix takes, up to the next cache line.
    static func space(outputs: Int, inputs: Int, format: WeightFormat) -> Int {
        (format.byteCount(outputs: outputs, inputs: inputs) + 63) / 64 * 64
    }

    /// Makes room for a matrix `[outputs, inputs]`. Its weights are there after ``fill(on:)``.
    func add(_ tensor: TensorView, type: ElementType, as format: WeightFormat) -> WeightMatrix {
        let (outputs, inputs) = (tensor.shape[0], tensor.shape[1])
        let destination = UnsafeMutableRawPointer(memory.pointer) + used
        let matrix = WeightMatrix(destination, format: format, rows: outputs, columns: inputs)
        used += Self.space(outputs: outputs, inputs: inputs, format: format)
        precondition(used <= memory.count)
        jobs.append(Job(tensor: tensor, type: type, matrix: matrix, destination: destination))
        return matrix
    }

    /// Packs everything that was added.
    func fill(on pool: WorkerPool) {
        let jobs = self.jobs
        let tasks = jobs.indices.flatMap { index in
            stride(from: 0, to: jobs[index].matrix.rows, by: Self.stretch).map { (job: index, first: $0) }
        }
        pool.run(tasks: tasks.count) { task, _ in
            let job = jobs[tasks[task].job], first = tasks[task].first
            let outputs = min(Self.stretch, job.matrix.rows - first)
            let rowBytes = job.matrix.columns * job.type.byteCount
            WeightMatrix.pack(
                into: job.destination + first / WeightFormat.panel * job.matrix.panelBytes,
                format: job.matrix.format,
                weights: job.tensor.pointer + first * rowBytes,
                type: job.type,
                outputs: outputs,
                inputs: job.matrix.columns
            )
            job.tensor.releasePages(first * rowBytes..<(first + outputs) * rowBytes)
        }
        self.jobs = []
    }
}
