// Cuts the products (or rows, or heads) of one fork into tasks for the worker pool.

/// What is cut into tasks.
open class SplitWork: ForkWork {
    /// The tasks of the fork that runs, as its threads see them.
    fileprivate var split = UnsafeBufferPointer<WorkSplit.Task>(start: nil, count: 0)

    /// Does a range of the things or outputs of part number `part`, for a range of its rows (empty if it has none), on thread
    /// number `worker`. Called by several threads at once.
    open func run(part: Int, range: Range<Int>, rows: Range<Int>, worker: Int) {
        preconditionFailure("\(type(of: self)) does not say what its parts are")
    }

    public final override func run(_ tasks: inout ForkTasks) {
        let all = split
        while let index = tasks.next() {
            let task = all[index]
            run(part: task.part, range: task.range, rows: task.rows, worker: tasks.worker)
        }
    }
}

/// The tasks of a fork: ranges of outputs and rows of products, or of other things, each of one numbered part.
///
/// Cut when it runs first, and run as often as one likes; then emptied and refilled, so that nothing is allocated once it has
/// grown. One thread uses it.
public final class WorkSplit {
    private struct Part {
        var number: Int
        /// Outputs, or other things to do.
        var count: Int
        var rows: Int
        /// What one of `count` costs, in multiply-adds, for all rows.
        var cost: Int
        /// Tasks begin with a multiple of it.
        var granularity: Int
    }

    fileprivate struct Task {
        var part: Int
        var range: Range<Int>
        var rows: Range<Int>
        var cost: Int
    }

    private var parts: [Part] = []
    private var tasks: [Task] = []
    /// Where each worker's run of tasks ends.
    private var ends: [Int] = []
    /// Threads that the tasks were cut for; nil if that is still to be done.
    private var cutFor: Int?

    /// Multiply-adds below which a fork does not pay: waking a spinning thread and joining it takes a microsecond or two,
    /// in which one core does this many.
    private static let inlineCost = 65_536
    /// Tasks a thread should get: fine enough that all threads end together, and that one that is held up leaves the rest to
    /// others.
    private static let tasksPerWorker = 8
    /// Multiply-adds that a task should have at least: a tenth of a microsecond goes by between two tasks.
    private static let leastCost = 16_384
    /// Rows of a task are a multiple of the tallest register tile.
    private static let rowTile = 12

    private let cutsRows: Bool

    /// - Parameter cutsRows: whether the rows of a product may be computed by several tasks
    public init(cutsRows: Bool = true) { self.cutsRows = cutsRows }

    /// Adds a part of `count` things to do, which cost as much as `cost` multiply-adds each.
    public func add(part: Int, count: Int, cost: Int) {
        guard count > 0 else { return }
        cutFor = nil
        parts.append(Part(number: part, count: count, rows: 0, cost: max(cost, 1), granularity: 1))
    }

    /// Adds a product: `outputs` outputs of `rows` rows, each of `inputs` multiply-adds.
    public func add(part: Int, outputs: Int, inputs: Int, rows: Int) {
        guard outputs > 0, rows > 0 else { return }
        cutFor = nil
        parts.append(
            Part(number: part, count: outputs, rows: rows, cost: inputs * rows, granularity: WeightFormat.panel)
        )
    }

    /// Forgets what was added.
    public func removeAll() {
        parts.removeAll(keepingCapacity: true)
        tasks.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        cutFor = nil
    }

    /// Runs everything that was added.
    public func run(on pool: WorkerPool, _ work: SplitWork) {
        if cutFor != pool.workers { cut(for: pool.workers) }
        if ends.isEmpty {
            for part in parts {
                work.run(part: part.number, range: 0..<part.count, rows: 0..<part.rows, worker: 0)
            }
            return
        }
        tasks.withUnsafeBufferPointer { tasks in
            work.split = tasks
            ends.withUnsafeBufferPointer { pool.run(tasks: tasks.count, ends: $0, of: work) }
        }
    }

    /// Makes the tasks; none, and no ends, where the calling thread had better do it all.
    private func cut(for workers: Int) {
        tasks.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        cutFor = workers
        let total = parts.reduce(0) { $0 + $1.count * $1.cost }
        guard total >= Self.inlineCost && workers > 1 else { return }
        let share = max(total / (workers * Self.tasksPerWorker), Self.leastCost)
        for part in parts { cut(part, share: share) }
        dealOut(to: workers, total: total)
    }

    /// Gives every worker a run of tasks that costs about as much as the others', ending with the task whose middle is nearest.
    private func dealOut(to workers: Int, total: Int) {
        var cost = 0
        for (index, task) in tasks.enumerated() {
            while ends.count < workers - 1, (2 * cost + task.cost) * workers >= 2 * total * (ends.count + 1) {
                ends.append(index)
            }
            cost += task.cost
        }
        while ends.count < workers { ends.append(tasks.count) }
    }

    /// Cuts the outputs first: a task then reads its weights once. Where one panel for all rows is too much, the rows too.
    private func cut(_ part: Part, share: Int) {
        let unit = part.cost * part.granularity
        let step = max(share / unit, 1) * part.granularity
        let blocks =
            cutsRows ? min(max((unit + share / 2) / share, 1), (part.rows + Self.rowTile - 1) / Self.rowTile) : 1
        let rowStep =
            blocks <= 1
            ? max(part.rows, 1) : ((part.rows + blocks - 1) / blocks + Self.rowTile - 1) / Self.rowTile * Self.rowTile
        for start in stride(from: 0, to: part.count, by: step) {
            let range = start..<min(start + step, part.count)
            for row in stride(from: 0, to: max(part.rows, 1), by: rowStep) {
                let rows = row..<min(row + rowStep, part.rows)
                let cost = part.rows == 0 ? part.cost : part.cost / part.rows * rows.count
                tasks.append(Task(part: part.number, range: range, rows: rows, cost: range.count * cost))
            }
        }
    }
}
