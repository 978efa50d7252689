// Where the threads of a pool run, when others want the processors too.
//
// Left alone, Linux does two things to a fork-join on a shared machine. A thread that loses its processor in the middle of a
// task makes all others wait until the other program's time slice is over, several milliseconds. And once the two threads
// of a pool are on one processor, with the busy program on the other, they stay there: to the kernel that is balanced. On
// two processors of which one is wanted by another program, both leave less than half of the speed; a fair share is two
// thirds to three quarters.

import CKernels
import CShims
import Synchronization

/// What is known of every thread of a pool, and the two remedies: a thread that waits brings the one it waits for to its
/// own processor, and a thread that shares the caller's processor moves away.
///
/// Both use the set of processors that a thread may run on, for a moment. Where the kernel refuses, nothing happens.
struct WorkerSeats: @unchecked Sendable {  // proof: a seat's fields are atomic, or handed over by one that is
    private struct Seat: ~Copyable {
        /// The thread's id, 0 before it started.
        let thread = Atomic<Int32>(0)
        /// Whether it may hold a task.
        let isWorking = Atomic<Bool>(false)
        /// Whether it was brought to the caller's processor, and has to leave it.
        let isGuest = Atomic<Bool>(false)
        /// Where it may run: what it was born with, so that no passing restriction is taken for it. Written before ``thread``.
        var allowed = catena_processors()
    }

    private let seats: UnsafeMutablePointer<Seat>
    private let count: Int
    /// Whether there is a processor for every thread; else sharing one is nothing to remedy.
    private let isRoomy: Bool
    private let callersProcessor: UnsafeMutablePointer<Atomic<Int32>>

    init(count: Int) {
        self.count = count
        isRoomy = count <= availableProcessors()
        seats = .allocate(capacity: count)
        for index in 0..<count { (seats + index).initialize(to: Seat()) }
        callersProcessor = .allocate(capacity: 1)
        callersProcessor.initialize(to: Atomic(-1))
    }

    func deallocate() {
        seats.deinitialize(count: count)
        seats.deallocate()
        callersProcessor.deinitialize(count: 1)
        callersProcessor.deallocate()
    }

    /// Thread number `worker` introduces itself.
    func take(_ worker: Int) {
        guard catena_allowed(&seats[worker].allowed) == 0 else { return }
        seats[worker].thread.store(catena_thread(), ordering: .releasing)
    }

    // MARK: The caller

    func forkBegins() {
        let processor = catena_current_processor()
        // Written only when it changes, so that the others need not fetch it anew with each fork.
        guard callersProcessor.pointee.load(ordering: .relaxed) != processor else { return }
        callersProcessor.pointee.store(processor, ordering: .relaxed)
    }

    /// Brings the threads that hold a task, but no processor, to the caller's own, which then has to sleep to let them run.
    ///
    /// - Returns: whether there were any
    func rescueStalled() -> Bool {
        guard isRoomy else { return false }
        var isAnyStalled = false
        for worker in 1..<count where seats[worker].isWorking.load(ordering: .relaxed) {
            let thread = seats[worker].thread.load(ordering: .acquiring)
            guard thread != 0, !seats[worker].isGuest.load(ordering: .acquiring), isStalled(thread) else { continue }
            isAnyStalled = true
            guard catena_confine(thread, catena_current_processor()) == 0 else { continue }
            // Sequentially consistent, here and where work ends: one of the two sees the other, and lets the thread go.
            seats[worker].isGuest.store(true, ordering: .sequentiallyConsistent)
            if !seats[worker].isWorking.load(ordering: .sequentiallyConsistent) {
                _ = catena_allow(thread, &seats[worker].allowed)
            }
        }
        return isAnyStalled
    }

    private func isStalled(_ thread: Int32) -> Bool {
        let before = catena_thread_time(thread)
        for _ in 0..<50 { ck_spin_hint() }
        return before >= 0 && catena_thread_time(thread) == before
    }

    // MARK: The threads

    /// Before the first task of a fork.
    func workBegins(_ worker: Int) {
        let processor = catena_current_processor()
        if isRoomy && processor == callersProcessor.pointee.load(ordering: .relaxed) && isSeated(worker) {
            _ = catena_move_off(processor, &seats[worker].allowed)
        }
        seats[worker].isWorking.store(true, ordering: .relaxed)
    }

    /// After its last.
    func workEnds(_ worker: Int) {
        seats[worker].isWorking.store(false, ordering: .sequentiallyConsistent)
        guard seats[worker].isGuest.load(ordering: .sequentiallyConsistent) else { return }
        // Where it is not let go now, it tries again after the next fork.
        if catena_move_off(callersProcessor.pointee.load(ordering: .relaxed), &seats[worker].allowed) == 0 {
            seats[worker].isGuest.store(false, ordering: .releasing)
        }
    }

    private func isSeated(_ worker: Int) -> Bool { seats[worker].thread.load(ordering: .relaxed) != 0 }
}
