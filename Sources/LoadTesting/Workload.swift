/// What a load test offers: requests with their times and lengths. A value: the real client and the simulator take the
/// same one.
package struct Workload: Sendable, Hashable {
    /// Ascending in time.
    package private(set) var arrivals: [Arrival]
    /// Seconds that the load lasts, from time 0 on: ``meanRate`` is requests over this.
    package private(set) var duration: Double

    /// - Precondition: times ascend from 0 or later.
    package init(arrivals: [Arrival], duration: Double) {
        precondition(arrivals.first.map { $0.time >= 0 } ?? true)
        precondition(zip(arrivals, arrivals.dropFirst()).allSatisfy { $0.time <= $1.time })
        self.arrivals = arrivals
        self.duration = max(duration, arrivals.last?.time ?? 0)
    }

    /// Requests a second.
    package var meanRate: Double { duration > 0 ? Double(arrivals.count) / duration : 0 }

    /// Variance over squared mean of the times between requests; nil for fewer than three requests.
    package var squaredVariation: Double? {
        let gaps = zip(arrivals.dropFirst(), arrivals).map { $0.time - $1.time }
        guard gaps.count > 1 else { return nil }
        let mean = gaps.reduce(0, +) / Double(gaps.count)
        let variance = gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(gaps.count - 1)
        return mean > 0 ? variance / (mean * mean) : nil
    }

    /// Tokens of a prompt, on average.
    package var meanPromptTokens: Double { mean(of: \.promptTokens) }
    /// Tokens of an answer, on average.
    package var meanOutputTokens: Double { mean(of: \.outputTokens) }

    private func mean(of length: KeyPath<Arrival, Int>) -> Double {
        arrivals.isEmpty ? 0 : Double(arrivals.reduce(0) { $0 + $1[keyPath: length] }) / Double(arrivals.count)
    }
}

// MARK: Making one

extension Workload {
    /// Where a random workload ends.
    package enum Bound: Sendable, Hashable {
        /// Seconds.
        case duration(Double)
        case requests(Int)
    }

    /// The most requests of one workload: what a mistyped rate would fill the memory with.
    package static let mostRequests = 20_000_000

    /// Random requests; the same seed gives the same.
    /// - Throws: for a bound that holds no request or too many.
    package init(
        _ process: ArrivalProcess,
        prompt: LengthDistribution,
        output: LengthDistribution,
        until bound: Bound,
        seed: UInt64
    ) throws(WorkloadError) {
        var end = Double.infinity
        var count = Self.mostRequests
        switch bound {
        case .duration(let seconds):
            guard seconds > 0 && seconds.isFinite else {
                throw WorkloadError("the duration is \(seconds) s; it must be above 0")
            }
            end = seconds
        case .requests(let requests):
            guard (1...Self.mostRequests).contains(requests) else {
                throw WorkloadError("\(requests) requests; it must be 1 to \(Self.mostRequests)")
            }
            count = requests
        }
        var prompts = SeededRandom(seed: seed, stream: 1)
        var outputs = SeededRandom(seed: seed, stream: 2)
        var arrivals: [Arrival] = []
        for time in process.times(SeededRandom(seed: seed)) {
            guard time < end else { break }
            guard arrivals.count < count else {
                if case .requests = bound { break }
                throw WorkloadError("\(end) s at this rate are more than \(count) requests")
            }
            arrivals.append(
                Arrival(time: time, promptTokens: prompts.draw(prompt), outputTokens: outputs.draw(output))
            )
        }
        guard let last = arrivals.last else {
            throw WorkloadError("no request comes within \(end) s at this rate; ask for a longer time or a higher rate")
        }
        self.init(arrivals: arrivals, duration: end.isFinite ? end : last.time)
    }
}

extension SeededRandom {
    fileprivate mutating func draw(_ length: LengthDistribution) -> Int { length.draw(&self) }
}

// MARK: Changing one

extension Workload {
    /// The same requests with time stretched or squeezed so that ``meanRate`` is `rate` exactly.
    /// - Throws: where there is no rate to change: no duration, or a new rate that is no positive number.
    package func scaled(toRate rate: Double) throws(WorkloadError) -> Workload {
        guard rate > 0 && rate.isFinite else {
            throw WorkloadError("the mean rate is \(rate) requests/s; it must be above 0")
        }
        guard meanRate > 0 && meanRate.isFinite else {
            throw WorkloadError("\(arrivals.count) requests in \(duration) s have no rate that could be changed")
        }
        let factor = meanRate / rate
        var scaled = self
        for index in arrivals.indices { scaled.arrivals[index].time *= factor }
        scaled.duration *= factor
        return scaled
    }

    /// The same requests with time stretched or squeezed so that the mean load is `load`: seconds of the machine that all
    /// requests take together, over ``duration``. 1 keeps the machine just busy.
    ///
    /// - Parameter cost: seconds of the machine that a request takes, at whatever size the load is to be measured in.
    package func scaled(toLoad load: Double, cost: (Arrival) -> Double) throws(WorkloadError) -> Workload {
        let seconds = arrivals.reduce(0) { $0 + cost($1) }
        guard load > 0 && load.isFinite && seconds > 0 && seconds.isFinite else {
            throw WorkloadError("a load of \(load) over requests that take \(seconds) s in all cannot be offered")
        }
        return try scaled(toRate: load * Double(arrivals.count) / seconds)
    }

    /// The first `count` requests; the duration ends where the next one would have come.
    package func prefix(_ count: Int) -> Workload {
        guard count < arrivals.count else { return self }
        return Workload(arrivals: Array(arrivals.prefix(count)), duration: arrivals[max(count, 0)].time)
    }
}
