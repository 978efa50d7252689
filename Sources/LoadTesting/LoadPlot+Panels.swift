// The panels of a load test's picture.

extension LoadPlot {
    /// Stacked bars: requests a second by what became of them.
    func arrivalPanel(_ panel: PlotPanel, _ bins: ArrivalBins) -> String {
        var svg = panel.frame(
            title: "Arrivals",
            across: "scheduled arrival, \(timeUnit.name)",
            up: "requests/s",
            marks: (10, 3)
        )
        let step = bins.binSeconds / timeUnit.seconds
        var heights = bins.rates.map { _ in 0.0 }
        for (colour, part) in [
            (Self.met, \.met), (Self.missed, \.missed), (Self.refused, \.refused),
        ] as [(String, KeyPath<ArrivalBins.Rates, Double>)] {
            let bars = bins.rates.indices.compactMap { index -> String? in
                let rate = bins.rates[index][keyPath: part]
                guard rate > 0 else { return nil }
                let bottom = panel.up(heights[index])
                heights[index] += rate
                let top = panel.up(heights[index])
                let (start, end) = (panel.across(Double(index) * step), panel.across(Double(index + 1) * step))
                return "M\(start.short) \(bottom.short)V\(top.short)H\(max(end - 0.8, start).short)V\(bottom.short)Z"
            }
            if !bars.isEmpty { svg += "<path fill=\"\(colour)\" d=\"\(bars.joined())\"/>\n" }
        }
        let counts = report.counts
        return svg
            + legend(
                x: panel.x + 90,
                y: panel.y - 10,
                [
                    (Self.met, "within limits: \(counts.met)"),
                    (Self.missed, "late or cut: \(counts.requests - counts.met - counts.rejected - counts.failed)"),
                    (Self.refused, "refused or failed: \(counts.rejected + counts.failed)"),
                ]
            )
    }

    /// A dot per request over its scheduled time; crosses at the top for those that have no latency.
    func latencyPanel(_ panel: PlotPanel, _ dots: LatencyDots) -> String {
        let unit = dots.isRelative ? (name: "share of its budget", seconds: 1.0) : Self.unit(for: dots.highest)
        let scaled = PlotPanel(
            x: panel.x,
            y: panel.y,
            width: panel.width,
            height: panel.height,
            horizontal: panel.horizontal,
            vertical: 0...(panel.vertical.upperBound / unit.seconds)
        )
        let every = dots.stride > 1 ? " (one of \(dots.stride) requests drawn)" : ""
        var svg = scaled.frame(
            title: "End-to-end latency of each request\(every)",
            across: "scheduled arrival, \(timeUnit.name)",
            up: dots.isRelative ? unit.name : "latency, \(unit.name)",
            marks: (10, 5)
        )
        for (values, colour) in [(dots.met, Self.met), (dots.missed, Self.missed)] {
            svg += scaled.dots(
                values.lazy.map { ($0.scheduled / timeUnit.seconds, $0.value / unit.seconds) },
                "class=\"dots\" stroke=\"\(colour)\""
            )
        }
        let crosses = dots.refused.map { time in
            "M\((scaled.across(time / timeUnit.seconds) - 3).short) \((scaled.y + 1).short)l6 6m0 -6l-6 6"
        }
        if !crosses.isEmpty {
            svg += "<path fill=\"none\" stroke=\"\(Self.refused)\" stroke-width=\"1.4\" d=\"\(crosses.joined())\"/>\n"
        }
        if let limit = dots.limit {
            let height = limit / unit.seconds
            svg += scaled.line([(0, height), (scaled.horizontal.upperBound, height)], "class=\"limit\"")
            svg +=
                "<text class=\"over\" x=\"\((scaled.x + scaled.width - 4).short)\" y=\"\((scaled.up(height) - 5).short)\" "
                + "text-anchor=\"end\">budget\(dots.isRelative ? "" : " \(height.short) \(unit.name)")</text>\n"
        }
        return svg
    }

    /// Stacked areas: the share of each chain count in the tokens of a moment.
    func chainPanel(_ panel: PlotPanel) -> String {
        let timeline = ChainTimeline(report.outcomes, duration: duration, bins: Self.bins, chains: report.chains)
        var svg = panel.frame(
            title: "Chains",
            across: "time, \(timeUnit.name)",
            up: "tokens, %",
            marks: (10, 4)
        )
        let step = timeline.binSeconds / timeUnit.seconds
        // Bins without tokens are gaps; each stretch of the others is an area of its own.
        for stretch in timeline.bins.indices.split(whereSeparator: { timeline.bins[$0].reduce(0, +) < 1e-9 }) {
            let places = stretch.flatMap { [Double($0) * step, Double($0 + 1) * step] }
            var low = places.map { _ in 0.0 }
            for chains in 0...report.chains {
                let shares = stretch.flatMap { index in
                    let share = timeline.bins[index][chains] / timeline.bins[index].reduce(0, +) * 100
                    return [share, share]
                }
                let high = zip(low, shares).map(+)
                if shares.contains(where: { $0 > 0 }) {
                    svg += panel.area(places, from: low, to: high, "fill=\"\(colour(ofChains: chains))\"")
                }
                low = high
            }
        }
        let total = max(Double(report.chainTokens.reduce(0, +)), 1)
        let entries = (1...report.chains).map { chains in
            let share = Double(report.chainTokens[chains - 1]) / total * 100
            return (colour(ofChains: chains), "k = \(chains): \(((share * 10).rounded() / 10).short) %")
        }
        return svg + legend(x: panel.x + 90, y: panel.y - 10, entries)
    }

    /// From light for the smallest size to dark for the largest; grey where it is unknown.
    private func colour(ofChains chains: Int) -> String {
        guard chains > 0 else { return "#a0a0a0" }
        let share = report.chains > 1 ? Double(chains - 1) / Double(report.chains - 1) : 1
        let (light, dark) = ((r: 190.0, g: 221.0, b: 180.0), (r: 12.0, g: 92.0, b: 84.0))
        func mixed(_ low: Double, _ high: Double) -> Int { Int((low + (high - low) * share).rounded()) }
        return "rgb(\(mixed(light.r, dark.r)),\(mixed(light.g, dark.g)),\(mixed(light.b, dark.b)))"
    }

    /// The share of requests that took no longer than a time.
    func distributionPanel(
        x: Double,
        y: Double,
        width: Double,
        name: String,
        _ values: Percentiles,
        limit: Double?
    ) -> String {
        let highest = max(values.sorted.last ?? 0, limit ?? 0)
        let unit = Self.unit(for: highest)
        let panel = PlotPanel(
            x: x,
            y: y,
            width: width,
            height: 170,
            horizontal: 0...max(highest / unit.seconds * 1.05, 1e-6),
            vertical: 0...100
        )
        var svg = panel.frame(title: name.capitalizedFirst, across: unit.name, up: "requests, %", marks: (4, 5))
        // Steps at about as many ranks as the panel has pixels.
        let count = values.count
        var ranks = Array(Swift.stride(from: 0, to: count, by: max(count / 250, 1)))
        if count > 0 && ranks.last != count - 1 { ranks.append(count - 1) }
        let points = ranks.map { (values.sorted[$0] / unit.seconds, Double($0 + 1) / Double(count) * 100) }
        if let first = points.first {
            svg += panel.line([(first.0, 0)] + points, "class=\"line\" stroke=\"\(Self.met)\"")
        }
        if let limit {
            svg += panel.line([(limit / unit.seconds, 0), (limit / unit.seconds, 100)], "class=\"limit\"")
        }
        for (row, share) in [("p50", 0.5), ("p99", 0.99)].enumerated() {
            guard let value = values[share.1] else { continue }
            svg +=
                "<text class=\"over\" x=\"\((x + width - 4).short)\" y=\"\((y + 132 + Double(row) * 16).short)\" "
                + "text-anchor=\"end\">\(share.0) \((value / unit.seconds).significant) \(unit.name)</text>\n"
        }
        return svg
    }

    /// Milliseconds below two seconds.
    static func unit(for seconds: Double) -> (name: String, seconds: Double) {
        seconds < 2 ? ("ms", 1e-3) : ("s", 1)
    }
}

extension String {
    fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}

extension Double {
    /// Three digits or all before the point.
    fileprivate var significant: String {
        let scale = abs(self) >= 100 ? 1.0 : abs(self) >= 10 ? 10 : 100
        return ((self * scale).rounded() / scale).short
    }
}
