import Glibc
import LoadTesting

/// Offers workloads to a server over HTTP and tells what became of each request.
package struct LoadClient: Sendable {
    package var target: Target
    package var template: CompletionTemplate
    /// Seconds after which a request without a complete answer has failed.
    package var timeout = 120.0

    package init(target: Target, template: CompletionTemplate) {
        self.target = target
        self.template = template
    }

    /// How far a run is, for a progress bar.
    package struct Progress: Sendable, Hashable {
        /// Seconds since the start.
        package var seconds: Double
        package var sent: Int
        package var ended: Int
        package var inFlight: Int
    }

    /// What a run left behind.
    package struct Run: Sendable {
        /// In the order of the workload.
        package var outcomes: [RequestOutcome]
        /// Seconds from the start to the last answer, or to the stop.
        package var seconds: Double
        /// Whether it was stopped before its end.
        package var wasStopped = false
    }

    /// Called about ten times a second; false stops the run.
    package typealias Observer = (Progress) -> Bool

    /// Open loop: every request goes out at its time, whatever became of those before. Ends with the last answer.
    package func offer(
        _ workload: Workload,
        rule: LatencyRule = LatencyRule(),
        observe: Observer = { _ in true }
    ) throws(ClientError) -> Run {
        var outcomes = workload.arrivals.map { RequestOutcome($0, limits: rule.limits(of: $0)) }
        let loop = try ExchangeLoop(target: target, template: template, timeout: timeout)
        var ended = 0
        var updates: [(Int, RequestOutcome)] = []
        loop.onEnd = { updates.append(($0, $1)) }
        var next = 0
        var lastObserved = -1.0
        var wasStopped = false
        while next < outcomes.count || loop.inFlight > 0 {
            while next < outcomes.count, outcomes[next].scheduled <= loop.now {
                loop.start(next, outcomes[next])
                next += 1
            }
            loop.turn(for: next < outcomes.count ? outcomes[next].scheduled - loop.now : .infinity)
            ended += updates.count
            for (index, outcome) in updates { outcomes[index] = outcome }
            updates.removeAll(keepingCapacity: true)
            guard loop.now - lastObserved >= 0.1 else { continue }
            lastObserved = loop.now
            let progress = Progress(seconds: lastObserved, sent: next, ended: ended, inFlight: loop.inFlight)
            guard observe(progress) else {
                wasStopped = true
                break
            }
        }
        let seconds = loop.now
        loop.abandonAll()
        for (index, outcome) in updates { outcomes[index] = outcome }
        // Those that were due and were never sent.
        for index in next..<max(outcomes.count, next) { outcomes[index].end = max(outcomes[index].scheduled, seconds) }
        return Run(outcomes: outcomes, seconds: seconds, wasStopped: wasStopped)
    }

    /// When a closed loop ends.
    package enum Bound: Sendable, Hashable {
        /// After so many seconds; what runs then is given up.
        case seconds(Double)
        /// When so many requests were answered.
        case requests(Int)
    }

    /// Closed loop: `concurrency` requests at any time, the next one as soon as one is answered; requests are those of
    /// `lengths` in turn. A request's scheduled arrival is the moment it is sent.
    package func saturate(
        _ lengths: [Arrival],
        concurrency: Int,
        until bound: Bound,
        observe: Observer = { _ in true }
    ) throws(ClientError) -> Run {
        precondition(!lengths.isEmpty && concurrency > 0)
        let loop = try ExchangeLoop(target: target, template: template, timeout: timeout)
        var outcomes: [RequestOutcome] = []
        var sent = 0
        loop.onEnd = { _, outcome in outcomes.append(outcome) }
        var end = Double.infinity
        var most = Int.max
        switch bound {
        case .seconds(let seconds): end = seconds
        case .requests(let requests): most = requests
        }
        var lastObserved = -1.0
        var wasStopped = false
        while loop.now < end, outcomes.count < most {
            // A server that refuses at once would be asked as fast as the machine can: no more than it takes to see that.
            var started = 0
            while loop.inFlight < concurrency, sent < most, started < concurrency {
                var arrival = lengths[sent % lengths.count]
                arrival.time = loop.now
                loop.start(sent, RequestOutcome(arrival, limits: LatencyLimits()))
                sent += 1
                started += 1
            }
            loop.turn(for: end - loop.now)
            guard loop.now - lastObserved >= 0.1 else { continue }
            lastObserved = loop.now
            let progress = Progress(
                seconds: lastObserved,
                sent: sent,
                ended: outcomes.count,
                inFlight: loop.inFlight
            )
            guard observe(progress) else {
                wasStopped = true
                break
            }
        }
        let seconds = loop.now
        loop.abandonAll()
        return Run(outcomes: outcomes, seconds: seconds, wasStopped: wasStopped)
    }
}
