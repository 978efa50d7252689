// Fork and join: every task once, whatever the threads do.

import CKernels
import CShims
import Foundation
import Glibc
import Synchronization
@testable import Tensor
import Testing

@Suite struct WorkerPoolTests {
    /// 70,000 are more than a fork has.
    @Test(arguments: [1, 2, 3, 8], [0, 1, 2, 7, 1000, 70_000])
    func runsEveryTaskOnce(workers: Int, tasks: Int) {
        let pool = WorkerPool(workers: workers)
        #expect(pool.workers == workers)
        let counts = AlignedBuffer<Int32>(count: max(tasks, 1))
        let pointer = counts.pointer
        for _ in 0..<50 {
            pool.run(tasks: tasks) { task, worker in
                precondition(worker >= 0 && worker < workers)
                pointer[task] += 1
            }
        }
        #expect(counts.elements.prefix(tasks).allSatisfy { $0 == 50 })
    }

    /// Many short forks with pauses that let the threads fall asleep now and then.
    @Test func noWakeUpIsLost() {
        let pool = WorkerPool(workers: 3)
        let total = Atomic<Int>(0)
        for round in 0..<3000 {
            pool.run(tasks: 5) { task, _ in total.add(task, ordering: .relaxed) }
            if round % 100 == 0 { usleep(500) }
        }
        #expect(total.load(ordering: .relaxed) == 3000 * 10)
    }

    /// A task that is slow does not keep the others from the rest.
    @Test func tasksGoToWhoeverIsFree() {
        let pool = WorkerPool(workers: 2)
        let byWorker = AlignedBuffer<Int32>(count: 2)
        let pointer = byWorker.pointer
        pool.run(tasks: 41) { task, worker in
            usleep(task == 0 ? 100_000 : 1_000)
            pointer[worker] += 1
        }
        #expect(byWorker.elements.reduce(0, +) == 41)
        #expect(byWorker.elements.max()! >= 30)
    }

    /// Each of the two tasks waits for the other, so both threads have to come, awake or asleep.
    @Test func aSleepingThreadIsWoken() {
        let pool = WorkerPool(workers: 2)
        for round in 0..<5 {
            let arrived = Atomic<Int>(0), met = Atomic<Int>(0)
            usleep(20_000)
            pool.run(tasks: 2) { _, _ in
                arrived.add(1, ordering: .relaxed)
                for _ in 0..<50_000 where arrived.load(ordering: .relaxed) < 2 { usleep(100) }
                if arrived.load(ordering: .relaxed) == 2 { met.add(1, ordering: .relaxed) }
            }
            #expect(met.load(ordering: .relaxed) == 2, "round \(round)")
        }
    }

    @Test func whatTasksWroteIsSeenAfterTheJoin() {
        let pool = WorkerPool(workers: 4)
        let buffer = AlignedBuffer<Int>(count: 64)
        let pointer = buffer.pointer
        for round in 1...2000 {
            pool.run(tasks: 64) { task, _ in pointer[task] = round * task }
            #expect((0..<64).allSatisfy { buffer[$0] == round * $0 })
        }
    }

    /// Threads that are moved about because others want the processors still do every task once, and are free to run
    /// anywhere when it is over.
    @Test func aSharedMachineLeavesNoTrace() {
        let allowed = catena_affinity_count()
        let pool = WorkerPool()
        let hogs = Hogs(count: 2)
        let sum = Atomic<Int>(0)
        for _ in 0..<200 {
            pool.run(tasks: 20) { task, _ in
                for _ in 0..<5_000 { ck_spin_hint() }
                sum.add(task, ordering: .relaxed)
            }
        }
        hogs.stop()
        #expect(sum.load(ordering: .relaxed) == 200 * 190)
        let isFree = (0..<200).contains { _ in
            let confined = Atomic<Int>(0)
            pool.run(tasks: 50) { _, _ in
                usleep(100)
                if catena_affinity_count() != allowed { confined.add(1, ordering: .relaxed) }
            }
            return confined.load(ordering: .relaxed) == 0
        }
        #expect(isFree)
    }

    /// Threads that want a processor each.
    private final class Hogs: Sendable {
        private let isOver = Atomic<Bool>(false)
        private let running = Atomic<Int>(0)

        init(count: Int) {
            running.store(count, ordering: .relaxed)
            for _ in 0..<count {
                Thread.detachNewThread { [self] in
                    while !isOver.load(ordering: .relaxed) {}
                    running.subtract(1, ordering: .relaxed)
                }
            }
        }

        func stop() {
            isOver.store(true, ordering: .relaxed)
            while running.load(ordering: .relaxed) > 0 { usleep(100) }
        }
    }

    /// The heap, looked at from within a fork, is as it was before. Other tests use it at the same time, so not every look
    /// tells; but what a fork puts there is in all of them.
    @Test func aForkAllocatesNothing() {
        let pool = WorkerPool(workers: 2)
        let work = HeapLook(), hoard = Hoard()
        var looks = 0, unchanged = 0
        while looks < 2000 && unchanged < 100 {
            hoard.grow(by: 2)
            let before = catena_heap_in_use()
            pool.run(tasks: 8, of: work)
            looks += 1
            if work.seen == before { unchanged += 1 }
        }
        #expect(unchanged == 100, "after \(looks) looks")
    }

    /// Notes how much of the heap is in use during a fork's last task on the calling thread.
    private final class HeapLook: ForkWork {
        private(set) var seen = 0

        override func run(_ tasks: inout ForkTasks) {
            while tasks.next() != nil {
                if tasks.worker == 0 { seen = catena_heap_in_use() }
            }
        }
    }

    /// Small chunks that are kept to the end. A thread's cache of freed chunks counts as in use, so it is emptied, and stays
    /// so: then the next chunk shows.
    private final class Hoard {
        private var chunks: [UnsafeMutableRawPointer?] = []

        init() {
            chunks.reserveCapacity(100_000)
            grow(by: 256)
        }

        deinit { for chunk in chunks { free(chunk) } }

        func grow(by count: Int) {
            for size in 1...16 { for _ in 0..<count { chunks.append(malloc(16 * size)) } }
        }
    }

    /// A thread that kept the closure for a moment longer than the fork would end the process.
    @Test func closuresAreLetGoWithTheFork() {
        let pool = WorkerPool(workers: 3), count = Atomic(0)
        for _ in 0..<2_000 {
            pool.run(tasks: 6) { _, _ in count.add(1, ordering: .relaxed) }
        }
        #expect(count.load(ordering: .relaxed) == 12_000)
    }

    @Test func poolsComeAndGo() {
        for _ in 0..<50 { WorkerPool(workers: 3).run(tasks: 3) { _, _ in } }
    }
}

@Suite struct AvailableProcessorsTests {
    @Test(arguments: [
        ("max 100000\n", nil), ("200000 100000\n", 2), ("150000 100000\n", 2), ("5000 100000\n", 1), ("", nil),
        ("0 100000", nil), ("100000", nil), ("x y", nil),
    ])
    func readsTheQuota(text: String, processors: Int?) {
        #expect(Tensor.processors(inCPUMax: text) == processors)
    }

    @Test func countsWhatThisProcessMayUse() {
        let count = availableProcessors()
        #expect(count >= 1 && count <= sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }
}
