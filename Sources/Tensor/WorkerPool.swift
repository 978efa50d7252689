// A fixed number of threads that run the tasks of one fork, then join.

import CKernels
import Glibc
import Synchronization

/// What a fork runs. An object that lives on from fork to fork, as a closure would be allocated for each.
public protocol ForkWork: AnyObject {
    /// Runs tasks until there are none. Called by several threads at once, each of which gets tasks of its own.
    func run(_ tasks: inout ForkTasks)
}

/// Fork-join over a fixed set of threads; the calling thread is one of them.
///
/// Every thread has a run of consecutive tasks, takes them one at a time, and then those that are left of the others': a
/// thread whose core is busy with something else simply takes fewer (``TaskRuns``). A fork never waits for a thread that has
/// taken no task, and not long for one that lost its core in the middle of a task (``WorkerSeats``). Between forks threads
/// spin for a moment (forks of one forward pass are microseconds apart), then sleep.
///
/// One thread forks at a time, and tasks do not fork.
public final class WorkerPool: Sendable {
    private let shared: Shared
    private let threads: [pthread_t]

    /// Threads that work on a fork, with the caller. Task closures get a worker number below it.
    public var workers: Int { threads.count + 1 }

    /// - Parameter workers: threads including the caller, at least 1; by default one per processor that the process may use.
    public init(workers: Int? = nil) {
        let count = max(1, workers ?? availableProcessors())
        let shared = Shared(workers: count)
        self.shared = shared
        threads = (1..<count).map { number in
            let start = Unmanaged.passRetained(Start(shared: shared, worker: number))
            var thread = pthread_t()
            let status = pthread_create(&thread, nil, { Start.run($0) }, start.toOpaque())
            precondition(status == 0, "cannot start a worker thread: \(String(cString: strerror(status)))")
            return thread
        }
    }

    deinit {
        shared.stop()
        for thread in threads { pthread_join(thread, nil) }
    }

    /// Runs every task in `0..<tasks` of `work`, in no particular order, and returns when all are done. Allocates nothing.
    public func run(tasks: Int, of work: any ForkWork) {
        run(tasks: tasks, ends: nil, of: work)
    }

    /// Likewise, with where the run of each worker ends, so that all have as much to do when tasks differ; nil gives all as
    /// many tasks.
    func run(tasks: Int, ends: UnsafeBufferPointer<Int>?, of work: any ForkWork) {
        if tasks <= 1 || threads.isEmpty {
            var all = ForkTasks(all: tasks)
            work.run(&all)
            return
        }
        guard tasks > TaskRuns.most else { return shared.fork(tasks: tasks, ends: ends, work) }
        for first in stride(from: 0, to: tasks, by: TaskRuns.most) {
            shared.fork(tasks: min(TaskRuns.most, tasks - first), from: first, ends: nil, work)
        }
    }

    /// Runs `body(task, worker)` likewise. What it captures is put on the heap: for loading and measuring, not for steps.
    public func run(tasks: Int, _ body: (_ task: Int, _ worker: Int) -> Void) {
        withoutActuallyEscaping(body) { run(tasks: tasks, of: ClosureWork(body: $0)) }
    }

    private final class ClosureWork: ForkWork {
        private let body: (Int, Int) -> Void

        init(body: @escaping (Int, Int) -> Void) { self.body = body }

        func run(_ tasks: inout ForkTasks) {
            while let task = tasks.next() { body(task, tasks.worker) }
        }
    }

    /// What a new thread is told.
    private final class Start: Sendable {
        let shared: Shared
        let worker: Int

        init(shared: Shared, worker: Int) {
            self.shared = shared
            self.worker = worker
        }

        static func run(_ pointer: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
            let start = Unmanaged<Start>.fromOpaque(pointer!).takeRetainedValue()
            start.shared.work(as: start.worker)
            return nil
        }
    }
}

/// What the caller and the threads share.
///
/// A task is taken from ``TaskRuns``, which proves that this fork still has an unfinished task, the one just taken, so `job` and
/// `tasks` stay what they are until it is reported in `finished`: a thread looks at them once, after its first task of a fork.
/// `fork` tells the threads that there is something to take: each looks once at a fork's runs, since what is not there then never
/// comes.
///
/// Proof of Sendable: `job`, `tasks` and `base` change only while no task is taken.
private final class Shared: @unchecked Sendable {
    /// Number of the latest fork.
    private let fork = Atomic<UInt32>(0)
    private let finished = Atomic<Int>(0)
    private let sleepers = Atomic<Int>(0)
    private let stopping = Atomic<Bool>(false)
    private var tasks = 0
    /// Number of the fork's first task.
    private var base = 0
    private var job: (any ForkWork)?
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let work: UnsafeMutablePointer<pthread_cond_t>
    private let join: UnsafeMutablePointer<pthread_cond_t>
    private let runs: TaskRuns
    private let seats: WorkerSeats

    /// Looks for work this often before sleeping: some 50 microseconds, a few times the gap between two forks of a step and
    /// much less than the time slice of whoever else wants the core.
    private static let spins = 1000
    /// How often the caller spins and looks who is stalled before it sleeps.
    private static let looks = 4

    init(workers: Int) {
        runs = TaskRuns(count: workers)
        seats = WorkerSeats(count: workers)
        mutex = .allocate(capacity: 1)
        work = .allocate(capacity: 1)
        join = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(work, nil)
        pthread_cond_init(join, nil)
    }

    deinit {
        pthread_cond_destroy(join)
        pthread_cond_destroy(work)
        pthread_mutex_destroy(mutex)
        join.deallocate()
        work.deallocate()
        mutex.deallocate()
        runs.deallocate()
        seats.deallocate()
    }

    // MARK: The caller

    func fork(tasks: Int, from base: Int = 0, ends: UnsafeBufferPointer<Int>?, _ job: any ForkWork) {
        precondition(self.job == nil, "a fork inside a fork, or from a second thread")
        let number = fork.load(ordering: .relaxed) &+ 1
        self.tasks = tasks
        self.base = base
        self.job = job
        seats.forkBegins()
        finished.store(0, ordering: .relaxed)
        runs.deal(tasks, fork: number, ends: ends)
        // Sequentially consistent with the sleeper's check: one of the two sees the other.
        fork.store(number, ordering: .sequentiallyConsistent)
        if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
            pthread_mutex_lock(mutex)
            pthread_cond_broadcast(work)
            pthread_mutex_unlock(mutex)
        }
        takeTasks(of: number, as: 0)
        waitForOthers(tasks)
        self.job = nil
    }

    private func waitForOthers(_ tasks: Int) {
        for _ in 0..<Self.looks {
            for _ in 0..<Self.spins {
                if finished.load(ordering: .acquiring) == tasks { return }
                ck_spin_hint()
            }
            if seats.rescueStalled() { break }
        }
        pthread_mutex_lock(mutex)
        while finished.load(ordering: .acquiring) < tasks { pthread_cond_wait(join, mutex) }
        pthread_mutex_unlock(mutex)
    }

    func stop() {
        stopping.store(true, ordering: .sequentiallyConsistent)
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(work)
        pthread_mutex_unlock(mutex)
    }

    // MARK: The threads

    func work(as worker: Int) {
        seats.take(worker)
        var seen: UInt32 = 0
        while true {
            let number = fork.load(ordering: .sequentiallyConsistent)
            if number != seen {
                seen = number
                seats.workBegins(worker)
                takeTasks(of: number, as: worker)
                seats.workEnds(worker)
            }
            if !spin(after: seen) && !sleep(after: seen) { return }
        }
    }

    /// Waits a moment for a fork after number `seen`.
    private func spin(after seen: UInt32) -> Bool {
        for _ in 0..<Self.spins {
            if fork.load(ordering: .sequentiallyConsistent) != seen { return true }
            if stopping.load(ordering: .relaxed) { return false }
            ck_spin_hint()
        }
        return false
    }

    /// Waits for as long as it takes. Returns false when the pool ends.
    private func sleep(after seen: UInt32) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        sleepers.add(1, ordering: .sequentiallyConsistent)
        defer { sleepers.subtract(1, ordering: .sequentiallyConsistent) }
        while fork.load(ordering: .sequentiallyConsistent) == seen {
            if stopping.load(ordering: .sequentiallyConsistent) { return false }
            pthread_cond_wait(work, mutex)
        }
        return true
    }

    /// Takes and runs tasks until none is left: its own run, then what is left of the others'.
    private func takeTasks(of fork: UInt32, as worker: Int) {
        guard let first = runs.take(for: worker, fork: fork) else { return }
        let all = tasks
        let done = runTasks(after: first, of: fork, as: worker)
        if finished.add(done, ordering: .acquiringAndReleasing).newValue == all && worker != 0 {
            // Under the lock, so that the caller is either before its check or already waiting.
            pthread_mutex_lock(mutex)
            pthread_cond_signal(join)
            pthread_mutex_unlock(mutex)
        }
    }

    /// Runs the task that was taken and those after it; how many.
    ///
    /// A call of its own, so that this thread has let go of the job before it says that it is done: when a fork ends, its
    /// caller has the only reference, which closures that do not escape are checked for.
    @inline(never)
    private func runTasks(after first: Int, of fork: UInt32, as worker: Int) -> Int {
        var tasks = ForkTasks(after: first, of: runs, fork: fork, base: base, worker: worker)
        job!.run(&tasks)
        return tasks.count
    }
}
