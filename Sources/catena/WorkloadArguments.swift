import ArgumentParser
import Foundation
import LoadTesting

/// The flags that say which requests come when, for `loadtest` and `simulate`.
struct WorkloadArguments: ParsableArguments {
    enum Arrivals: String, ExpressibleByArgument, CaseIterable {
        case poisson, gamma, ramp, constant
    }

    @Option(help: "How requests arrive: poisson, gamma (with --cv2), ramp (--rate 2-20) or constant.")
    var arrivals = Arrivals.poisson

    @Option(
        help: ArgumentHelp(
            "Requests a second, on average; LOW-HIGH for a ramp.",
            discussion: "Times are stretched so that the mean is exact.",
            valueName: "r"
        )
    )
    var rate: String?

    @Option(
        help: ArgumentHelp(
            "Instead of --rate: a share of the capacity at one chain.",
            discussion: "0.8 is 0.8 times --capacity requests a second.",
            valueName: "share"
        )
    )
    var load: String?

    @Option(
        name: .customLong("cv2"),
        help: "gamma: variance over squared mean of the time between requests; 1 is Poisson, 8 very bursty."
    )
    var squaredVariation: Double?

    @Option(help: "Seconds of arrivals. [default: 60, or as long as --requests or the trace need]")
    var duration: Double?

    @Option(help: "How many requests.")
    var requests: Int?

    @Option(help: ArgumentHelp("Tokens of a prompt: \(LengthDistribution.forms).", valueName: "length"))
    var promptTokens = "128"

    @Option(help: ArgumentHelp("Tokens of an answer, likewise.", valueName: "length"))
    var outputTokens = "64"

    @Option(help: "The same seed offers the same requests.")
    var seed: UInt64 = 1

    @Option(
        help: ArgumentHelp(
            "Take arrivals and lengths from a CSV: TIMESTAMP,ContextTokens,GeneratedTokens.",
            discussion:
                "The form of the Azure LLM inference traces. --rate or --load set its mean; else it keeps its own.",
            valueName: "file"
        )
    )
    var trace: String?

    @Option(help: "Seconds of the trace to leave out at its start.")
    var traceStart = 0.0

    @Option(help: "Seconds of the trace to take, in its own time. [default: all]")
    var traceSeconds: Double?

    @Option(help: "Divide the trace's lengths by this, so that they fit a smaller model.")
    var lengthDivisor = 1.0

    @Option(help: ArgumentHelp("Then move prompts' lengths into this range.", valueName: "min-max"))
    var promptClip = "1-1000000"

    @Option(help: ArgumentHelp("The same for answers.", valueName: "min-max"))
    var outputClip = "1-1000000"

    func validate() throws {
        if rate != nil && load != nil { throw ValidationError("Give --rate or --load, not both.") }
        if arrivals == .gamma && squaredVariation == nil && trace == nil {
            throw ValidationError("--arrivals gamma needs --cv2, 4 for example.")
        }
        if squaredVariation != nil && arrivals != .gamma && arrivals != .ramp {
            throw ValidationError("--cv2 is for --arrivals gamma and ramp.")
        }
        if trace == nil && rate == nil && load == nil {
            throw ValidationError("Say how many requests come: --rate 5 (a second), or --load 0.8 (of the capacity).")
        }
        if trace != nil && duration != nil {
            throw ValidationError("--duration is for random arrivals; take a part of a trace with --trace-seconds.")
        }
        if let duration, !(duration > 0 && duration.isFinite) {
            throw ValidationError("--duration is \(duration); it must be above 0.")
        }
        if let requests, !(1...Workload.mostRequests ~= requests) {
            throw ValidationError("--requests is \(requests); it must be 1 to \(Workload.mostRequests).")
        }
        if duration != nil && requests != nil { throw ValidationError("Give --duration or --requests, not both.") }
        for (name, text) in [("--rate", rate), ("--load", load)] {
            if let text { _ = try Self.rates(text, name, isRamp: arrivals == .ramp && trace == nil) }
        }
        for (name, text) in [("--prompt-tokens", promptTokens), ("--output-tokens", outputTokens)] {
            _ = try Self.length(text, name)
        }
        _ = try Self.clip(promptClip, "--prompt-clip")
        _ = try Self.clip(outputClip, "--output-clip")
    }

    /// Whether the capacity must be known to make the workload.
    var needsCapacity: Bool { load != nil }

    /// What is tested, for titles: `gamma, CV^2 4`.
    var summary: String {
        if let trace { return URL(fileURLWithPath: trace).lastPathComponent }
        let variation = squaredVariation.map { ", CV² \($0 == $0.rounded() ? "\(Int($0))" : "\($0)")" } ?? ""
        return arrivals.rawValue + variation
    }

    /// The requests.
    /// - Parameter capacity: requests a second that the smallest size can do, for --load.
    func makeWorkload(capacity: Double?) throws -> Workload {
        let text = rate ?? load
        let unit = load == nil ? 1 : (capacity ?? 1)
        let rates = try text.map { text in
            try Self.rates(text, load == nil ? "--rate" : "--load", isRamp: arrivals == .ramp && trace == nil)
                .map { $0 * unit }
        }
        if let trace {
            let workload = try Workload(readTrace(trace), scale: traceScale())
            return try rates.map { try workload.scaled(toRate: $0[0]) } ?? workload
        }
        return try makeRandom(rates ?? [1])
    }

    /// As many requests as the rate brings on average, over exactly the time that they take on average.
    private func makeRandom(_ rates: [Double]) throws -> Workload {
        let gaps: ArrivalProcess.Gaps =
            switch (arrivals, squaredVariation) {
            case (.constant, _): .constant
            case (.gamma, let variation?), (.ramp, let variation?): .gamma(squaredVariation: variation)
            default: .poisson
            }
        let mean = rates.reduce(0, +) / Double(rates.count)
        let seconds = duration ?? requests.map { Double($0) / mean } ?? 60
        let count = requests ?? max(Int((mean * seconds).rounded()), 1)
        let isRamp = arrivals == .ramp
        let process = try ArrivalProcess(
            gaps: gaps,
            rate: isRamp ? .ramp(from: rates[0], to: rates[1], seconds: seconds) : .constant(mean)
        )
        let workload = try Workload(
            process,
            prompt: Self.length(promptTokens, "--prompt-tokens"),
            output: Self.length(outputTokens, "--output-tokens"),
            until: isRamp && requests == nil ? .duration(seconds) : .requests(count),
            seed: seed
        )
        return isRamp ? workload : try workload.scaled(toRate: Double(count) / seconds)
    }

    private func readTrace(_ path: String) throws -> Trace {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? file.close() }
        var parser = TraceParser()
        do {
            while let piece = try file.read(upToCount: 1 << 20), !piece.isEmpty { try parser.append(piece) }
            return try parser.finish()
        } catch let error as WorkloadError {
            throw ValidationError("\(path): \(error)")
        }
    }

    private func traceScale() throws -> Workload.TraceScale {
        var scale = Workload.TraceScale()
        scale.start = traceStart
        scale.seconds = traceSeconds
        scale.requests = requests
        scale.lengthDivisor = lengthDivisor
        scale.promptClip = try Self.clip(promptClip, "--prompt-clip")
        scale.outputClip = try Self.clip(outputClip, "--output-clip")
        return scale
    }

    // MARK: Values

    private static func rates(_ text: String, _ name: String, isRamp: Bool) throws -> [Double] {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { Double($0) }
        let rates = parts.compactMap { $0 }
        guard rates.count == parts.count, rates.count == (isRamp ? 2 : 1),
            rates.allSatisfy({ $0 >= 0 && $0.isFinite }), rates.last.map({ $0 > 0 }) ?? false
        else {
            let expected = isRamp ? "two numbers for a ramp, as in \(name) 2-20" : "a number above 0"
            throw ValidationError("\(name) is '\(text)'; it must be \(expected).")
        }
        return rates
    }

    private static func length(_ text: String, _ name: String) throws -> LengthDistribution {
        do throws(WorkloadError) {
            return try LengthDistribution(text)
        } catch {
            throw ValidationError("\(name): \(error).")
        }
    }

    private static func clip(_ text: String, _ name: String) throws -> ClosedRange<Int> {
        guard let range = LengthDistribution.range(text), range.lowerBound >= 1 else {
            throw ValidationError("\(name) is '\(text)'; it must be MIN-MAX, from 1 on.")
        }
        return range
    }
}
