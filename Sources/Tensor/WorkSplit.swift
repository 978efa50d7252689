// Cuts the outputs of one or several products into tasks for the worker pool.

/// The tasks of one fork: ranges of outputs (or rows, or heads), each of one numbered part.
///
/// Kept and refilled from fork to fork, so that nothing is allocated once it has grown. One thread uses it.
public final class WorkSplit {
    private struct Part {
        var number: Int
        var count: Int
        /// What one output costs, in multiply-adds.
        var cost: Int
        var limit: Int
        var granularity: Int
    }

    private struct Task {
        var part: Int
        var range: Range<Int>
    }

    private var parts: [Part] = []
    private var tasks: [Task] = []

    /// Multiply-adds below which a fork does not pay: waking a spinning thread and joining it takes a microsecond or two,
    /// in which one core does this many.
    private static let inlineCost = 65_536
    /// Tasks a thread should get, so that one that is held up leaves the rest to others.
    private static let tasksPerWorker = 4
    /// Weights of one task, at most: they stay in a core's second-level cache while all rows pass over them.
    private static let weightsPerTask = 131_072
    /// Outputs of a product's task begin with a multiple of it.
    private let tile: Int

    /// - Parameter tile: what the outputs of a product's task are a multiple of, but for the last: by default the widest
    ///   register tile
    public init(tile: Int = 8) { self.tile = tile }

    /// Adds a part of `count` things to do, which cost as much as `cost` multiply-adds each.
    public func add(part: Int, count: Int, cost: Int) {
        guard count > 0 else { return }
        parts.append(Part(number: part, count: count, cost: max(cost, 1), limit: .max, granularity: 1))
    }

    /// Adds the outputs of a product with `weights` of which `rows` rows are computed.
    public func add(part: Int, weights: WeightMatrix, rows: Int) {
        add(part: part, outputs: weights.rows, cost: rows * weights.columns, inputs: weights.columns)
    }

    /// Adds the outputs of a product, which cost `cost` multiply-adds and read `inputs` weights each.
    public func add(part: Int, outputs: Int, cost: Int, inputs: Int) {
        guard cost > 0, outputs > 0 else { return }
        let limit = max(Self.weightsPerTask / inputs / tile, 1) * tile
        parts.append(Part(number: part, count: outputs, cost: cost, limit: limit, granularity: tile))
    }

    /// Runs everything that was added, and forgets it.
    public func run(on pool: WorkerPool, _ body: (_ part: Int, _ range: Range<Int>, _ worker: Int) -> Void) {
        defer {
            parts.removeAll(keepingCapacity: true)
            tasks.removeAll(keepingCapacity: true)
        }
        let total = parts.reduce(0) { $0 + $1.count * $1.cost }
        let isSerial = total < Self.inlineCost || pool.workers == 1
        let share = isSerial ? total : total / (pool.workers * Self.tasksPerWorker)
        for part in parts {
            let wanted = (share / part.cost + part.granularity - 1) / part.granularity * part.granularity
            let step = min(max(wanted, part.granularity), part.limit)
            for start in stride(from: 0, to: part.count, by: step) {
                tasks.append(Task(part: part.number, range: start..<min(start + step, part.count)))
            }
        }
        if isSerial {
            for task in tasks { body(task.part, task.range, 0) }
        } else {
            tasks.withUnsafeBufferPointer { tasks in
                pool.run(tasks: tasks.count) { body(tasks[$0].part, tasks[$0].range, $1) }
            }
        }
    }
}
