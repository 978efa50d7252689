// The tables that `catena loadtest` prints. docs/loadtest.md says how to read them.

import LoadTesting

struct LoadTables {
    let text: String

    init(_ report: LoadReport) {
        var parts = [Self.offered(report), Self.outcome(report), Self.latencies(report)]
        if let chains = Self.chains(report) { parts.append(chains) }
        if report.chains > 0 { parts.append(Self.timeline(report)) }
        if let causes = Self.causes(report) { parts.append(causes) }
        if let warning = Self.warning(report) { parts.append(warning) }
        text = parts.joined(separator: "\n\n")
    }

    private static func offered(_ report: LoadReport) -> String {
        var text =
            "\(report.title): \(report.counts.requests) requests at \(fixed(report.offeredRate, digits: 2))/s, "
            + "\(fixed(report.duration, digits: 1)) s"
        if report.counts.unfinished > 0 { text += "; stopped early, \(report.counts.unfinished) unfinished" }
        return text
    }

    private static func outcome(_ report: LoadReport) -> String {
        let counts = report.counts
        let met = report.attainment.map { percent($0) } ?? "nothing to judge"
        var rows = [
            ["within all limits", "\(counts.met) of \(counts.judged), \(met)"],
            ["goodput", "\(fixed(report.goodput, digits: 2)) requests/s within all limits"],
            [
                "completed",
                "\(counts.completed), \(fixed(report.completedRate, digits: 2))/s, "
                    + "\(fixed(report.tokenRate, digits: 0)) tokens/s",
            ],
            ["cut at the deadline", "\(counts.cut)"],
            ["refused", "\(counts.rejected)"],
            ["failed", "\(counts.failed)"],
        ]
        if let mean = report.meanChains { rows.append(["chains, mean over tokens", fixed(mean, digits: 3)]) }
        let broken = [
            ("the whole", report.broken[.total]), ("first token", report.broken[.firstToken]),
            ("per token", report.broken[.perToken]),
        ]
        .compactMap { name, count in count.map { "\(name) \($0)" } }
        if !broken.isEmpty { rows.append(["limits broken", broken.joined(separator: ", ")]) }
        if report.cachedTokens > 0 {
            rows.append([
                "prompt tokens cached", percent(Double(report.cachedTokens) / Double(max(report.promptTokens, 1))),
            ])
        }
        return alignedLeft(rows).joined(separator: "\n")
    }

    private static func latencies(_ report: LoadReport) -> String {
        let head = ["latency, ms"] + Percentiles.shown.map { "\($0.name)" } + ["mean"]
        let rows = [
            ("first token", report.timeToFirstToken), ("per token", report.timePerToken),
            ("end to end", report.endToEnd), ("client's lag", report.lag),
        ].map { name, values in
            [name] + Percentiles.shown.map { milliseconds(values[$0.share]) } + [milliseconds(values.mean)]
        }
        return alignedRight([head] + rows).joined(separator: "\n")
    }

    private static func chains(_ report: LoadReport) -> String? {
        let total = report.chainTokens.reduce(0, +)
        guard total > 0 else { return nil }
        let rows = report.chainTokens.enumerated().map {
            ["\($0.offset + 1)", grouped($0.element), percent(Double($0.element) / Double(total))]
        }
        return alignedRight([["chains", "tokens", "share"]] + rows).joined(separator: "\n")
    }

    /// Tokens by chain count over time, in ten parts of the run.
    private static func timeline(_ report: LoadReport) -> String {
        let timeline = ChainTimeline(report.outcomes, duration: report.duration, bins: 10, chains: report.chains)
        let head = ["from s"] + (1...report.chains).map { "k = \($0)" } + ["tokens/s", "mean k"]
        let rows = timeline.bins.enumerated().map { index, bin in
            let tokens = bin.reduce(0, +)
            return [fixed(Double(index) * timeline.binSeconds, digits: 1)]
                + bin.dropFirst().map { tokens > 0 ? percent($0 / tokens) : "" }
                + [
                    fixed(tokens / timeline.binSeconds, digits: 0),
                    timeline.meanChains(ofBin: index).map { fixed($0, digits: 2) } ?? "",
                ]
        }
        return alignedRight([head] + rows).joined(separator: "\n")
    }

    private static func causes(_ report: LoadReport) -> String? {
        let rows =
            report.rejections.prefix(5).map { ["refused: \($0.name)", "\($0.requests)"] }
            + report.failures.prefix(5).map { ["failed: \($0.name)", "\($0.requests)"] }
        return rows.isEmpty ? nil : alignedLeft(rows).joined(separator: "\n")
    }

    /// What makes the figures mean something else than they seem to.
    private static func warning(_ report: LoadReport) -> String? {
        var warnings: [String] = []
        if report.counts.short > 0 {
            warnings.append(
                "\(report.counts.short) answers were shorter than planned: the server ended them by itself, so the load "
                    + "was lighter than it says."
            )
        }
        if let lag = report.lag[0.99], lag > 0.02 {
            warnings.append(
                "The client sent requests up to \(milliseconds(lag)) ms late (p99): it lacked processor time. Latencies "
                    + "count from the scheduled arrival and contain that."
            )
        }
        return warnings.isEmpty ? nil : warnings.joined(separator: "\n")
    }

    private static func milliseconds(_ seconds: Double?) -> String {
        seconds.map { fixed($0 * 1e3, digits: $0 < 0.1 ? 2 : 0) } ?? "n/a"
    }

    private static func percent(_ share: Double) -> String { fixed(share * 100, digits: 2) + " %" }
}
