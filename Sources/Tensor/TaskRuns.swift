// Which tasks of a fork are still to be taken: a run of consecutive ones for every worker.
//
// Neighbouring tasks read neighbouring weights. A worker that goes through a run of its own reads one long stretch of memory,
// which the processor foresees; handed out one at a time to whoever is free, the same tasks come in pieces, each of which
// begins with a wait for memory.

import Synchronization

/// The runs of one fork. A worker goes through its own, and then helps with the others', which it takes from the front too: one
/// whose owner has no processor is then also read in one go.
///
/// A run is one word, (fork << 32 | first << 16 | end), and a task is taken by compare-and-swap: success proves that the fork
/// still has an unfinished task, the one just taken. Who is late finds another fork's number, or an empty run.
struct TaskRuns: @unchecked Sendable {  // proof: all fields are atomic or constant, and see ``work(for:)``
    /// All that a worker hears of a fork, in one cache line: between processors that share no cache each line takes a quarter
    /// of a microsecond.
    private struct Run: ~Copyable {
        let state = Atomic<UInt64>(0)
        /// The fork, once all runs are dealt.
        let announced = Atomic<UInt32>(0)
        var work = ForkNotice()
        let padding: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    }

    /// Tasks of a fork, at the most.
    static let most = 0xffff

    private let runs: UnsafeMutablePointer<Run>
    private let count: Int

    /// - Parameter count: of workers
    init(count: Int) {
        self.count = count
        let memory = UnsafeMutableRawPointer.allocate(byteCount: count * MemoryLayout<Run>.stride, alignment: 64)
        runs = memory.bindMemory(to: Run.self, capacity: count)
        for worker in 0..<count { (runs + worker).initialize(to: Run()) }
    }

    func deallocate() {
        runs.deinitialize(count: count)
        UnsafeMutableRawPointer(runs).deallocate()
    }

    /// Deals the tasks of a fork out, when those of the one before are done.
    ///
    /// - Parameters:
    ///   - tasks: at most ``most``
    ///   - ends: where the run of each worker ends, in rising order; nil gives all as many tasks
    func deal(_ tasks: Int, of work: ForkNotice, fork: UInt32, ends: UnsafeBufferPointer<Int>?) {
        assert(tasks <= Self.most && (ends == nil || (ends!.count == count && ends![count - 1] == tasks)))
        var first = 0
        for worker in 0..<count {
            let end = ends?[worker] ?? tasks * (worker + 1) / count
            runs[worker].work = work
            runs[worker].state.store(Self.word(fork: fork, first: first, end: end), ordering: .releasing)
            first = end
        }
        // Sequentially consistent with the check of a worker that falls asleep: it sees the fork, or is seen to sleep.
        for worker in 0..<count { runs[worker].announced.store(fork, ordering: .sequentiallyConsistent) }
    }

    /// Number of the fork that a worker was told of last. It looks once at the runs of each: what is not there then never comes.
    func announced(to worker: Int) -> UInt32 {
        runs[worker].announced.load(ordering: .sequentiallyConsistent)
    }

    /// What the tasks of a fork are, for a worker that has taken one: until it is done, no other fork begins.
    func work(for worker: Int) -> ForkNotice { runs[worker].work }

    /// Takes the next task of a worker's run or, when that is empty, of another's; nil if all are.
    func take(for worker: Int, fork: UInt32) -> Int? {
        for distance in 0..<count {
            if let task = takeNext(of: (worker + distance) % count, fork: fork) { return task }
        }
        return nil
    }

    private func takeNext(of worker: Int, fork: UInt32) -> Int? {
        var current = runs[worker].state.load(ordering: .relaxed)
        while true {
            let first = Int(current >> 16 & 0xffff), end = Int(current & 0xffff)
            guard UInt32(current >> 32) == fork, first < end else { return nil }
            let (taken, now) = runs[worker].state.compareExchange(
                expected: current,
                desired: Self.word(fork: fork, first: first + 1, end: end),
                ordering: .acquiringAndReleasing
            )
            if taken { return first }
            current = now
        }
    }

    private static func word(fork: UInt32, first: Int, end: Int) -> UInt64 {
        UInt64(fork) << 32 | UInt64(first) << 16 | UInt64(end)
    }
}

/// What the tasks of a fork are.
struct ForkNotice {
    /// Unmanaged: a count of references would be written by every thread with every fork. The caller keeps it.
    var work: Unmanaged<ForkWork>?
    /// Number of the first task.
    var base = 0
}

/// The tasks that one thread gets of a fork, one at a time.
public struct ForkTasks {
    /// Where more come from; nil if this thread has all of them.
    private let runs: TaskRuns?
    private let fork: UInt32
    /// Number of the first task of `runs`.
    private let base: Int
    /// Those taken already, and not yet given out.
    private var taken: Int
    private let takenEnd: Int
    /// Number of the thread, below ``WorkerPool/workers``.
    public let worker: Int
    /// How many were given out.
    private(set) var count = 0

    /// Those of a fork that the other threads leave, after the one that this thread has taken.
    init(after first: Int, of runs: TaskRuns, fork: UInt32, base: Int, worker: Int) {
        self.runs = runs
        self.fork = fork
        self.base = base
        self.worker = worker
        taken = first
        takenEnd = first + 1
    }

    /// All tasks of a fork, for the calling thread.
    init(all count: Int) {
        runs = nil
        fork = 0
        base = 0
        worker = 0
        taken = 0
        takenEnd = count
    }

    /// The next task, nil when none is left.
    public mutating func next() -> Int? {
        var task = taken
        if task < takenEnd {
            taken += 1
        } else {
            guard let runs, let next = runs.take(for: worker, fork: fork) else { return nil }
            task = next
        }
        count += 1
        return base + task
    }
}
