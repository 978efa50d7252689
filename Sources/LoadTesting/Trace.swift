/// A recorded load: when requests came to some service, and how long they were.
package struct Trace: Sendable, Hashable {
    package struct Row: Sendable, Hashable {
        /// Seconds from the first row.
        package var time: Double
        package var contextTokens: Int
        package var generatedTokens: Int

        package init(time: Double, contextTokens: Int, generatedTokens: Int) {
            self.time = time
            self.contextTokens = contextTokens
            self.generatedTokens = generatedTokens
        }
    }

    /// Ascending in time.
    package var rows: [Row]

    package init(rows: [Row]) { self.rows = rows }
}

extension Workload {
    /// What of a trace becomes a workload, and how its lengths are made to fit a smaller model.
    package struct TraceScale: Sendable, Hashable {
        /// Seconds of the trace that are left out at its start.
        package var start = 0.0
        /// Seconds of the trace from there on; nil for all.
        package var seconds: Double?
        /// The most requests; nil for all.
        package var requests: Int?
        /// Every length is divided by this, and rounded.
        package var lengthDivisor = 1.0
        /// Then moved to the nearest end of these.
        package var promptClip = 1...LengthDistribution.longest
        package var outputClip = 1...LengthDistribution.longest

        package init() {}
    }

    /// The requests of a window of a trace, at its own pace: ``scaled(toRate:)`` changes that.
    /// - Throws: when fewer than two requests are left, or the divisor or a clip is no such thing.
    package init(_ trace: Trace, scale: TraceScale = TraceScale()) throws(WorkloadError) {
        guard scale.lengthDivisor > 0 && scale.lengthDivisor.isFinite else {
            throw WorkloadError("lengths are divided by \(scale.lengthDivisor); it must be above 0")
        }
        guard scale.promptClip.lowerBound >= 1 && scale.outputClip.lowerBound >= 1 else {
            throw WorkloadError("lengths are clipped to less than 1 token")
        }
        let end = scale.seconds.map { scale.start + $0 } ?? .infinity
        var rows = trace.rows.drop { $0.time < scale.start }.prefix { $0.time < end }
        if let requests = scale.requests { rows = rows.prefix(max(requests, 0)) }
        guard let first = rows.first, let last = rows.last, rows.count > 1, last.time > first.time else {
            throw WorkloadError(
                "\(rows.count) of the trace's \(trace.rows.count) requests are left; at least two of different times "
                    + "are needed"
            )
        }
        func fitted(_ length: Int, _ clip: ClosedRange<Int>) -> Int {
            let value = (Double(length) / scale.lengthDivisor).rounded()
            return Int(min(max(value, Double(clip.lowerBound)), Double(clip.upperBound)))
        }
        let span = last.time - first.time
        self.init(
            arrivals: rows.map {
                Arrival(
                    time: $0.time - first.time,
                    promptTokens: fitted($0.contextTokens, scale.promptClip),
                    outputTokens: fitted($0.generatedTokens, scale.outputClip)
                )
            },
            // With one mean gap after the last request, so that requests over duration is the rate of the gaps.
            duration: span + span / Double(rows.count - 1)
        )
    }
}
