// Brings a checkpoint's matrices into memory of its own, as the kernels read them: once, at loading, on all threads.

import Glibc
import ModelIO
import Tensor

/// Where the matrices of a packed checkpoint are read from. Those of a row-major checkpoint are packed, and so copied, always.
public enum WeightPlacement: String, Sendable, Hashable, CaseIterable {
    /// A copy in large pages: a step reads it faster, by what page walks cost.
    case copy
    /// The mapped files: no time at start, and one memory for all processes that serve the model.
    case map
}

/// The copies of matrices that a checkpoint holds, packed from the usual row-major formats or packed already.
///
/// Matrices are added first, so that one allocation in large pages holds them all, and filled then. The file's pages are let
/// go as they are read: what stays in memory is one copy.
final class WeightStore {
    fileprivate struct Job {
        var tensor: TensorView
        /// Of row-major numbers; nil for panels, which are copied.
        var type: ElementType?
        var matrix: WeightMatrix
        var destination: UnsafeMutableRawPointer
    }

    private let memory: AlignedBuffer<UInt8>
    private var used = 0
    private var jobs: [Job] = []
    /// Outputs that one task packs or copies.
    private static let stretch = 16 * WeightFormat.panel

    /// - Parameter byteCount: the sum of ``space(outputs:inputs:format:)`` of all matrices that will be added
    init(byteCount: Int) { memory = AlignedBuffer(count: byteCount, isHuge: true) }

    /// Bytes that a matrix takes, up to the next cache line.
    static func space(outputs: Int, inputs: Int, format: WeightFormat) -> Int {
        (format.byteCount(outputs: outputs, inputs: inputs) + 63) / 64 * 64
    }

    /// Makes room for a matrix `[outputs, inputs]`. Its weights are there after ``fill(on:)``.
    ///
    /// - Parameter type: how `tensor` holds them row by row; nil if it holds the panels of `format`
    func add(
        _ tensor: TensorView,
        type: ElementType?,
        outputs: Int,
        inputs: Int,
        as format: WeightFormat
    ) -> WeightMatrix {
        let destination = UnsafeMutableRawPointer(memory.pointer) + used
        let matrix = WeightMatrix(destination, format: format, rows: outputs, columns: inputs)
        used += Self.space(outputs: outputs, inputs: inputs, format: format)
        precondition(used <= memory.count)
        jobs.append(Job(tensor: tensor, type: type, matrix: matrix, destination: destination))
        return matrix
    }

    /// Packs or copies everything that was added.
    func fill(on pool: WorkerPool) {
        let jobs = self.jobs
        let tasks = jobs.indices.flatMap { index in
            stride(from: 0, to: jobs[index].matrix.rows, by: Self.stretch).map { (job: index, first: $0) }
        }
        pool.run(tasks: tasks.count) { task, _ in
            let job = jobs[tasks[task].job], first = tasks[task].first
            job.fill(outputs: first..<min(first + Self.stretch, job.matrix.rows))
        }
        self.jobs = []
    }
}

extension WeightStore.Job {
    /// Fills the panels of some outputs, which begin one, and lets the file's pages go.
    func fill(outputs: Range<Int>) {
        let start = outputs.lowerBound / WeightFormat.panel * matrix.panelBytes
        guard let type else {
            let panels = (outputs.count + WeightFormat.panel - 1) / WeightFormat.panel
            let bytes = start..<start + panels * matrix.panelBytes
            memcpy(destination + start, tensor.pointer + start, bytes.count)
            tensor.releasePages(bytes)
            return
        }
        let rowBytes = matrix.columns * type.byteCount
        WeightMatrix.pack(
            into: destination + start,
            format: matrix.format,
            weights: tensor.pointer + outputs.lowerBound * rowBytes,
            type: type,
            outputs: outputs.count,
            inputs: matrix.columns
        )
        tensor.releasePages(outputs.lowerBound * rowBytes..<outputs.upperBound * rowBytes)
    }
}
