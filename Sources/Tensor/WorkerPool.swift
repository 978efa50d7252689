// A fixed number of threads that run the tasks of one fork, then join.

import CKernels
import Glibc
import Synchronization

/// What a fork runs. An object that lives on from fork to fork, as a closure would be allocated for each; and a class, as
/// threads call it without counting references.
open class ForkWork {
    public init() {}

    /// Runs tasks until there are none. Called by several threads at once, each of which gets tasks of its own.
    open func run(_ tasks: inout ForkTasks) { preconditionFailure("\(type(of: self)) does not say what its tasks are") }
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
    public func run(tasks: Int, of work: ForkWork) {
        run(tasks: tasks, ends: nil, of: work)
    }

    /// Likewise, with where the run of each worker ends, so that all have as much to do when tasks differ; nil gives all as
    /// many tasks.
    func run(tasks: Int, ends: UnsafeBufferPointer<Int>?, of work: ForkWork) {
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

        override func run(_ tasks: inout ForkTasks) {
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
/// A task is taken from ``TaskRuns``, which proves that this fork still has an unfinished task, the one just taken, so what the
/// fork runs stays what it is until the task is reported in `done`.
///
/// Proof of Sendable: `number` and `isForking` are the caller's own; all else is atomic, constant, or guards itself.
private final class Shared: @unchecked Sendable {
    /// How many tasks of its latest fork a worker has done, in a cache line of its own: (fork << 32 | tasks), written once a fork.
    private struct Done: ~Copyable {
        let word = Atomic<UInt64>(0)
        let padding: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)
    }

    /// Number of the latest fork.
    private var number: UInt32 = 0
    private var isForking = false
    private let workers: Int
    private let done: UnsafeMutablePointer<Done>
    private let sleepers = Atomic<Int>(0)
    /// Whether the caller sleeps until a fork is done.
    private let isJoining = Atomic<Bool>(false)
    private let stopping = Atomic<Bool>(false)
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
        self.workers = workers
        let memory = UnsafeMutableRawPointer.allocate(byteCount: workers * MemoryLayout<Done>.stride, alignment: 64)
        done = memory.bindMemory(to: Done.self, capacity: workers)
        for worker in 0..<workers { (done + worker).initialize(to: Done()) }
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
        done.deinitialize(count: workers)
        UnsafeMutableRawPointer(done).deallocate()
    }

    // MARK: The caller

    func fork(tasks: Int, from base: Int = 0, ends: UnsafeBufferPointer<Int>?, _ job: ForkWork) {
        precondition(!isForking, "a fork inside a fork, or from a second thread")
        isForking = true
        number &+= 1
        seats.forkBegins()
        runs.deal(tasks, of: ForkNotice(work: .passUnretained(job), base: base), fork: number, ends: ends)
        if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
            pthread_mutex_lock(mutex)
            pthread_cond_broadcast(work)
            pthread_mutex_unlock(mutex)
        }
        waitForOthers(tasks - runTasks(of: number, as: 0))
        isForking = false
        withExtendedLifetime(job) {}
    }

    /// - Parameter tasks: that they have taken
    private func waitForOthers(_ tasks: Int) {
        for _ in 0..<Self.looks {
            for _ in 0..<Self.spins {
                if othersHaveDone(tasks) { return }
                ck_spin_hint()
            }
            if seats.rescueStalled() { break }
        }
        pthread_mutex_lock(mutex)
        isJoining.store(true, ordering: .sequentiallyConsistent)
        while !othersHaveDone(tasks) { pthread_cond_wait(join, mutex) }
        isJoining.store(false, ordering: .relaxed)
        pthread_mutex_unlock(mutex)
    }

    private func othersHaveDone(_ tasks: Int) -> Bool {
        var sum = 0
        for worker in 1..<workers {
            let word = done[worker].word.load(ordering: .sequentiallyConsistent)
            if UInt32(word >> 32) == number { sum += Int(word & 0xffff_ffff) }
        }
        return sum == tasks
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
            let fork = runs.announced(to: worker)
            if fork != seen {
                seen = fork
                seats.workBegins(worker)
                report(runTasks(of: fork, as: worker), of: fork, as: worker)
                seats.workEnds(worker)
            }
            if !spin(after: seen, as: worker) && !sleep(after: seen, as: worker) { return }
        }
    }

    /// Waits a moment for a fork after number `seen`.
    private func spin(after seen: UInt32, as worker: Int) -> Bool {
        for _ in 0..<Self.spins {
            if runs.announced(to: worker) != seen { return true }
            if stopping.load(ordering: .relaxed) { return false }
            ck_spin_hint()
        }
        return false
    }

    /// Waits for as long as it takes. Returns false when the pool ends.
    private func sleep(after seen: UInt32, as worker: Int) -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        sleepers.add(1, ordering: .sequentiallyConsistent)
        defer { sleepers.subtract(1, ordering: .sequentiallyConsistent) }
        while runs.announced(to: worker) == seen {
            if stopping.load(ordering: .sequentiallyConsistent) { return false }
            pthread_cond_wait(work, mutex)
        }
        return true
    }

    /// Takes and runs tasks until none is left: its own run, then what is left of the others'. Returns how many.
    private func runTasks(of fork: UInt32, as worker: Int) -> Int {
        guard let first = runs.take(for: worker, fork: fork) else { return 0 }
        let notice = runs.work(for: worker)
        var tasks = ForkTasks(after: first, of: runs, fork: fork, base: notice.base, worker: worker)
        notice.work!._withUnsafeGuaranteedRef { $0.run(&tasks) }
        return tasks.count
    }

    /// Tells the caller what a worker has done.
    private func report(_ tasks: Int, of fork: UInt32, as worker: Int) {
        guard tasks > 0 else { return }
        // Sequentially consistent with the caller that falls asleep: it sees this, or is seen to sleep.
        done[worker].word.store(UInt64(fork) << 32 | UInt64(tasks), ordering: .sequentiallyConsistent)
        guard isJoining.load(ordering: .sequentiallyConsistent) else { return }
        // Under the lock, so that the caller is either before its check or already waiting.
        pthread_mutex_lock(mutex)
        pthread_cond_signal(join)
        pthread_mutex_unlock(mutex)
    }
}
