// A load test as a picture.

/// An SVG of a report: arrivals and what became of them, latencies against their budget, chains over time, and the
/// distributions of the three latencies. It has the colours of a light or a dark page, whichever it is shown on.
package struct LoadPlot {
    static let width = 960.0
    static let left = 84.0, right = 40.0
    /// Bins of the panels over time.
    static let bins = 120
    /// Requests that are drawn one by one: more would make a file that browsers are slow to show.
    static let mostDots = 6000

    // Okabe and Ito's, told apart on white, on black, and by most colour-blind readers.
    static let met = "#0072b2", missed = "#e69f00", refused = "#d55e00"

    let report: LoadReport
    /// Seconds shown by the panels over time.
    let duration: Double
    /// Time is in minutes where that reads better.
    let timeUnit: (name: String, seconds: Double)

    package init(_ report: LoadReport) {
        self.report = report
        duration = max(report.duration, 1e-3)
        timeUnit = duration > 900 ? ("min", 60) : ("s", 1)
    }

    /// The whole file.
    package var svg: String {
        let inner = Self.width - Self.left - Self.right
        func panel(_ y: Double, _ height: Double, _ vertical: Double) -> PlotPanel {
            PlotPanel(
                x: Self.left,
                y: y,
                width: inner,
                height: height,
                horizontal: 0...(duration / timeUnit.seconds),
                vertical: 0...vertical
            )
        }
        let arrivals = ArrivalBins(report, bins: Self.bins, duration: duration)
        let latency = LatencyDots(report)
        var y = 120.0
        var body = arrivalPanel(panel(y, 110, arrivals.highest * 1.08), arrivals)
        y += 190
        body += latencyPanel(panel(y, 210, latency.highest * 1.05), latency)
        y += 290
        if report.chains > 0 {
            body += chainPanel(panel(y, 150, 100))
            y += 230
        }
        let share = (inner - 2 * 70) / 3
        let limits = report.sharedLimits
        for (index, figure) in [
            ("time to first token", report.timeToFirstToken, limits.firstToken),
            ("time per output token", report.timePerToken, limits.perToken),
            ("end to end", report.endToEnd, limits.total),
        ].enumerated() {
            let x = Self.left + Double(index) * (share + 70)
            body += distributionPanel(x: x, y: y, width: share, name: figure.0, figure.1, limit: figure.2)
        }
        return frame(body, height: y + 170 + 54)
    }

    private func frame(_ body: String, height: Double) -> String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.width.short) \(height.short)" \
        font-family="system-ui, sans-serif" font-size="12">
        <style>
        svg { color: #1f2328; }
        .page { fill: #ffffff; }
        .over { stroke: #ffffff; }
        @media (prefers-color-scheme: dark) {
        svg { color: #e6edf3; } .page { fill: #0d1117; } .over { stroke: #0d1117; }
        }
        text { fill: currentColor; }
        .over { stroke-width: 3; stroke-linejoin: round; paint-order: stroke; }
        .title { font-size: 14px; font-weight: 600; }
        .grid { stroke: currentColor; stroke-opacity: 0.13; }
        .dots { fill: none; stroke-width: 3.6; stroke-linecap: round; stroke-opacity: 0.75; }
        .limit { fill: none; stroke: currentColor; stroke-width: 1.3; stroke-dasharray: 6 4; }
        .line { fill: none; stroke-width: 2; }
        </style>
        <rect class="page" width="\(Self.width.short)" height="\(height.short)"/>
        <text x="\(Self.left.short)" y="34" font-size="17" font-weight="600">\(report.title.escaped)</text>
        <text x="\(Self.left.short)" y="58" font-size="13">\(summary.escaped)</text>
        \(body)</svg>

        """
    }

    /// The figures that the panels do not spell out.
    private var summary: String {
        let attainment = report.attainment.map { "\(($0 * 100).short) % within limits" } ?? "nothing to judge"
        var parts = [
            "\(report.counts.requests) requests at \(report.offeredRate.short)/s", attainment,
            "goodput \(report.goodput.short)/s", "\(report.tokenRate.rounded().short) tokens/s",
        ]
        if let mean = report.meanChains { parts.append("\(mean.short) chains on average") }
        if report.counts.unfinished > 0 { parts.append("stopped early: \(report.counts.unfinished) unfinished") }
        return parts.joined(separator: " · ")
    }

    /// Coloured squares with words, from `x` on.
    func legend(x: Double, y: Double, _ entries: [(colour: String, text: String)]) -> String {
        var svg = ""
        var x = x
        for entry in entries {
            svg +=
                "<rect x=\"\(x.short)\" y=\"\((y - 9).short)\" width=\"10\" height=\"10\" fill=\"\(entry.colour)\"/>"
                + "<text x=\"\((x + 15).short)\" y=\"\(y.short)\">\(entry.text.escaped)</text>\n"
            x += 30 + Double(entry.text.count) * 6.8
        }
        return svg
    }
}

extension LoadReport {
    /// The limits that all requests have in common; nil where they differ or have none.
    var sharedLimits: LatencyLimits {
        func shared(_ limit: KeyPath<LatencyLimits, Double?>) -> Double? {
            let first = outcomes.first?.limits[keyPath: limit]
            return outcomes.allSatisfy { $0.limits[keyPath: limit] == first } ? first : nil
        }
        return LatencyLimits(
            total: shared(\.total),
            firstToken: shared(\.firstToken),
            perToken: shared(\.perToken)
        )
    }
}

/// Arrivals by their scheduled time, and what became of them.
struct ArrivalBins {
    /// Requests a second.
    struct Rates {
        var met = 0.0
        /// Outside of their limits, or not judged.
        var missed = 0.0
        /// Or failed.
        var refused = 0.0
    }

    private(set) var rates: [Rates]
    let binSeconds: Double

    init(_ report: LoadReport, bins: Int, duration: Double) {
        binSeconds = duration / Double(bins)
        rates = Array(repeating: Rates(), count: bins)
        let one = 1 / binSeconds
        for outcome in report.outcomes {
            let bin = min(Int(outcome.scheduled / binSeconds), bins - 1)
            switch outcome.status {
            case .rejected, .failed: rates[bin].refused += one
            default: if outcome.isMet == true { rates[bin].met += one } else { rates[bin].missed += one }
            }
        }
    }

    var highest: Double { max(rates.reduce(0) { max($0, $1.met + $1.missed + $1.refused) }, 1e-6) }
}

/// Latencies of requests, each over its scheduled time: in seconds where all have the same budget or none, as shares of the
/// budget where budgets differ.
struct LatencyDots {
    struct Dot {
        var scheduled: Double
        var value: Double
    }

    let isRelative: Bool
    /// Where the dashed line is, in the same unit; nil for none.
    let limit: Double?
    private(set) var met: [Dot] = []
    private(set) var missed: [Dot] = []
    /// Times of requests without a latency.
    private(set) var refused: [Double] = []
    /// One of so many requests is drawn.
    let stride: Int

    init(_ report: LoadReport) {
        let shared = report.sharedLimits.total
        isRelative = shared == nil && report.outcomes.contains { $0.limits.total != nil }
        limit = isRelative ? 1 : shared
        stride = (report.outcomes.count + LoadPlot.mostDots - 1) / LoadPlot.mostDots
        for (index, outcome) in report.outcomes.enumerated() where index.isMultiple(of: max(stride, 1)) {
            guard let latency = outcome.endToEnd else {
                refused.append(outcome.scheduled)
                continue
            }
            guard let unit = isRelative ? outcome.limits.total : 1 else { continue }
            let dot = Dot(scheduled: outcome.scheduled, value: latency / unit)
            if outcome.isMet == true { met.append(dot) } else { missed.append(dot) }
        }
    }

    var highest: Double {
        let values = (met + missed).reduce(limit ?? 0) { max($0, $1.value) }
        return values > 0 ? values : 1
    }
}
