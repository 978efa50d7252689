import LoadTesting
import Scheduling

/// What a policy could meet that knows all requests beforehand and has the ideal machine: every row costs what it costs in the
/// cheapest step at one chain, prompts and tokens may be computed in any pieces, and nothing is ever interrupted.
///
/// So a request is a piece of work with a release and a deadline, and the machine does a second of it in a second. Work goes
/// by deadlines, which leaves nobody late if that can be had (Jackson, 1955). Where somebody would be late, the largest work since
/// the machine was last idle that had to be done by then is not taken at all (Moore, 1968). With equal lengths nobody can meet
/// more; with unequal ones a better choice of what to leave out may exist, a few requests better as a rule.
package struct Foresight: Sendable {
    struct Job: Sendable, Hashable {
        var release: Double
        /// Infinite: it has no limit on its whole answer.
        var due: Double
        /// Seconds of the machine.
        var work: Double
    }

    private let jobs: [Job]

    /// - Parameter limits: of each request. Only those on the whole answer count.
    package init(
        _ workload: Workload,
        cost: CostModel,
        limits: SchedulerLimits,
        allowed: (Arrival) -> LatencyLimits
    ) {
        let row = (1...limits.running).lazy.map { cost.tiers[0].seconds(rows: $0) / Double($0) }.min() ?? 0
        let any = (1...limits.stepTokens).lazy.map { cost.first.seconds(rows: $0) / Double($0) }.min() ?? 0
        self.init(
            workload.arrivals.compactMap { arrival in
                let prompt = arrival.promptTokens, output = arrival.outputTokens
                let due = allowed(arrival).total.map { arrival.time + $0 } ?? .infinity
                let alone =
                    cost.prefillSeconds(tokens: prompt - 1, chunk: limits.stepTokens)
                    + cost.decodeSeconds(rows: 1, chains: 1, position: prompt) * Double(output)
                guard arrival.time + alone <= due else { return nil }
                let rows = prompt - 1 + output
                let context = rows * (rows + 1) / 2
                return Job(
                    release: arrival.time,
                    due: due,
                    work: any * Double(rows) + row * Double(output) + cost.attention * Double(context)
                )
            }
        )
    }

    /// - Parameter jobs: by their releases.
    init(_ jobs: [Job]) {
        self.jobs = jobs
    }

    /// How many requests are answered in time.
    package var met: Int {
        var isTaken = [Bool](repeating: true, count: jobs.count)
        // A stretch in which the machine is never idle, from job `first` on.
        var first = 0
        while first < jobs.count {
            guard isTaken[first] else {
                first += 1
                continue
            }
            first = work(from: first, &isTaken)
        }
        return isTaken.count { $0 }
    }

    /// A job that has begun to wait.
    private struct Open {
        var index: Int
        var due: Double
        var left: Double
    }

    /// Works from a job's release until the machine is idle. Who cannot be taken is told in `isTaken`.
    ///
    /// - Returns: the job to go on with: the next one, or `first` again when one was left out that had been worked on.
    private func work(from first: Int, _ isTaken: inout [Bool]) -> Int {
        var now = jobs[first].release, next = first
        // The earliest deadline is the last.
        var open: [Open] = []
        repeat {
            while next < jobs.count, jobs[next].release <= now {
                if isTaken[next] { insert(next, &open) }
                next += 1
            }
            guard var current = open.popLast() else { return next }
            if now + current.left > current.due {
                let largest = (first..<next).filter { isTaken[$0] && jobs[$0].due <= current.due }.max {
                    (jobs[$0].work, $0) < (jobs[$1].work, $1)
                }
                open.append(current)
                guard let largest else { preconditionFailure("job \(current.index) is one of them") }
                isTaken[largest] = false
                // What was worked on leaves time behind it that others may need.
                guard let place = open.firstIndex(where: { $0.index == largest }),
                    open[place].left == jobs[largest].work
                else { return first }
                open.remove(at: place)
                continue
            }
            let pause = next < jobs.count ? jobs[next].release : .infinity
            if now + current.left <= pause {
                now += current.left
            } else {
                current.left -= pause - now
                now = pause
                open.append(current)
            }
        } while !open.isEmpty || (next < jobs.count && jobs[next].release <= now)
        return next
    }

    private func insert(_ index: Int, _ open: inout [Open]) {
        let new = Open(index: index, due: jobs[index].due, left: jobs[index].work)
        var place = open.count
        while place > 0 && open[place - 1].due < new.due { place -= 1 }
        open.insert(new, at: place)
    }
}
