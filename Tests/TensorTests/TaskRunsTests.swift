// Runs of tasks: a worker's own first, then the others', every task once.

import Synchronization
@testable import Tensor
import Testing

@Suite struct TaskRunsTests {
    @Test func aWorkerGoesThroughItsOwnAndThenTheOthers() {
        let runs = TaskRuns(count: 3)
        defer { runs.deallocate() }
        runs.deal(6, of: ForkNotice(), fork: 1, ends: nil)
        #expect(runs.take(for: 1, fork: 1) == 2)
        #expect(runs.take(for: 0, fork: 1) == 0)
        #expect(runs.take(for: 1, fork: 1) == 3)
        #expect(runs.take(for: 1, fork: 1) == 4, "the next worker's")
        #expect(runs.take(for: 2, fork: 1) == 5)
        #expect(runs.take(for: 2, fork: 1) == 1, "the first follows the last")
        for worker in 0..<3 { #expect(runs.take(for: worker, fork: 1) == nil) }
    }

    /// Who comes late, with the number of a fork that is over, gets nothing of the next.
    @Test func anotherForksTasksAreNotTaken() {
        let runs = TaskRuns(count: 2)
        defer { runs.deallocate() }
        runs.deal(4, of: ForkNotice(), fork: 7, ends: nil)
        for late in [6, 8, 7 + 65536] as [UInt32] {
            #expect(runs.take(for: 0, fork: late) == nil)
        }
        #expect(runs.take(for: 0, fork: 7) == 0)
    }

    @Test(arguments: [
        (tasks: 10, ends: [3, 10], firsts: [0, 3]),
        (tasks: 10, ends: [0, 10], firsts: [0, 1]),
        (tasks: 5, ends: [5, 5], firsts: [0, 1]),
        (tasks: 65535, ends: [65534, 65535], firsts: [0, 65534]),
    ])
    func runsEndWhereTheyAreToldTo(tasks: Int, ends: [Int], firsts: [Int]) {
        let runs = TaskRuns(count: 2)
        defer { runs.deallocate() }
        ends.withUnsafeBufferPointer { runs.deal(tasks, of: ForkNotice(), fork: 1, ends: $0) }
        #expect((0..<2).map { runs.take(for: $0, fork: 1) } == firsts)
    }

    /// Owners and others at once: every task is taken, none twice.
    @Test func everyTaskIsTakenOnce() {
        let runs = TaskRuns(count: 4)
        defer { runs.deallocate() }
        let taken = AlignedBuffer<Int32>(count: 1000)
        let pointer = taken.pointer
        let pool = WorkerPool(workers: 4)
        for fork in 1...200 as ClosedRange<UInt32> {
            runs.deal(1000, of: ForkNotice(), fork: fork, ends: nil)
            pool.run(tasks: 4) { worker, _ in
                while let task = runs.take(for: worker, fork: fork) {
                    pointer[task] += 1
                }
            }
        }
        #expect(taken.elements.allSatisfy { $0 == 200 })
    }
}
