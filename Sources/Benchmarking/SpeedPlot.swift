// Tokens a second over rows, a line per chain count, as a picture.

import Glibc

/// An SVG of decode speed: both axes logarithmic, a solid line for what was measured and a dashed one for what the closed form
/// gives. It has the colours of a light or a dark page, whichever it is shown on.
public struct SpeedPlot {
    /// What one chain count did.
    public struct Line: Sendable {
        public var label: String
        public var points: [(rows: Int, tokensPerSecond: Double)]
        /// By the closed form, at the same rows.
        public var limits: [Double]
    }

    public let title: String
    public let lines: [Line]

    private static let width = 760.0, height = 480.0
    private static let left = 80.0, right = 120.0, top = 56.0, bottom = 56.0
    /// Distinct on white and on black, and for most colour-blind readers: Okabe and Ito's.
    private static let colours = [
        "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c8c8c", "#b8a800",
    ]

    /// The plot of a report's decode figures.
    public init(_ report: BenchReport) {
        title = "\(report.subject.name), \(report.subject.dtype), \(report.subject.threads) threads"
        let counts = Set(report.decode.map(\.chains)).sorted()
        lines = counts.map { chains in
            let figures = report.decode.filter { $0.chains == chains }
            return Line(
                label: "k = \(chains)",
                points: figures.map { ($0.rows, $0.tokensPerSecond) },
                limits: figures.map { $0.tokensPerSecond / $0.shareOfClosedForm }
            )
        }
    }

    /// The whole file.
    public var svg: String {
        let rows = Set(lines.flatMap { $0.points.map(\.rows) }).sorted()
        let speeds = lines.flatMap { $0.points.map(\.tokensPerSecond) + $0.limits }
        guard let first = rows.first, let last = rows.last, let least = speeds.min(), let most = speeds.max() else {
            return frame("")
        }
        let x = Axis(
            from: Double(first),
            to: Double(max(last, first + 1)),
            at: Self.left,
            until: Self.width - Self.right
        )
        let y = Axis(decades: least...most, at: Self.height - Self.bottom, until: Self.top)
        var body = ""
        for count in rows { body += vertical(count, x.place(Double(count))) }
        for mark in y.marks { body += horizontal(mark, y.place(mark)) }
        for (index, line) in lines.enumerated() {
            let colour = Self.colours[index % Self.colours.count]
            let places = line.points.map { x.place(Double($0.rows)) }
            body += path(zip(places, line.limits.map(y.place)), "stroke=\"\(colour)\" class=\"limit\"")
            body += path(
                zip(places, line.points.map { y.place($0.tokensPerSecond) }),
                "stroke=\"\(colour)\" class=\"line\""
            )
            for (place, point) in zip(places, line.points) {
                let height = y.place(point.tokensPerSecond)
                body += "<circle cx=\"\(place.short)\" cy=\"\(height.short)\" r=\"3.5\" fill=\"\(colour)\"/>\n"
            }
        }
        return frame(body + legend)
    }

    private func frame(_ body: String) -> String {
        let middle = (Self.left + Self.width - Self.right) / 2
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.width.short) \(Self.height.short)" \
            font-family="system-ui, sans-serif" font-size="13">
            <style>
            svg { background: #ffffff; color: #1f2328; }
            @media (prefers-color-scheme: dark) { svg { background: #0d1117; color: #e6edf3; } }
            text { fill: currentColor; }
            .grid { stroke: currentColor; stroke-opacity: 0.15; }
            .line { fill: none; stroke-width: 2.2; }
            .limit { fill: none; stroke-width: 1.2; stroke-dasharray: 5 4; stroke-opacity: 0.8; }
            </style>
            <text x="\(Self.left.short)" y="28" font-size="16">Decode: \(Self.escaped(title))</text>
            <text x="\(middle.short)" y="\((Self.height - 14).short)" text-anchor="middle">rows decoded together</text>
            <text transform="translate(20 \((Self.height / 2).short)) rotate(-90)" text-anchor="middle">tokens/s, all rows</text>
            \(body)</svg>

            """
    }

    private func vertical(_ rows: Int, _ x: Double) -> String {
        let low = Self.height - Self.bottom
        return "<line class=\"grid\" x1=\"\(x.short)\" y1=\"\(Self.top.short)\" x2=\"\(x.short)\" y2=\"\(low.short)\"/>"
            + "<text x=\"\(x.short)\" y=\"\((low + 20).short)\" text-anchor=\"middle\">\(rows)</text>\n"
    }

    private func horizontal(_ speed: Double, _ y: Double) -> String {
        let end = Self.width - Self.right
        return
            "<line class=\"grid\" x1=\"\(Self.left.short)\" y1=\"\(y.short)\" x2=\"\(end.short)\" y2=\"\(y.short)\"/>"
            + "<text x=\"\((Self.left - 8).short)\" y=\"\((y + 4).short)\" text-anchor=\"end\">\(speed.short)</text>\n"
    }

    private func path(_ points: some Sequence<(Double, Double)>, _ attributes: String) -> String {
        let steps = points.enumerated().map {
            "\($0.offset == 0 ? "M" : "L")\($0.element.0.short) \($0.element.1.short)"
        }
        return "<path \(attributes) d=\"\(steps.joined(separator: " "))\"/>\n"
    }

    private var legend: String {
        let x = Self.width - Self.right + 16
        var text = ""
        for (index, line) in lines.enumerated().reversed() {
            let y = Self.top + 20 + Double(lines.count - 1 - index) * 22
            let colour = Self.colours[index % Self.colours.count]
            text +=
                "<path class=\"line\" stroke=\"\(colour)\" d=\"M\(x.short) \((y - 4).short) h22\"/>"
                + "<text x=\"\((x + 30).short)\" y=\"\(y.short)\">\(Self.escaped(line.label))</text>\n"
        }
        let y = Self.top + 20 + Double(lines.count) * 22
        return text + "<path class=\"limit\" stroke=\"currentColor\" d=\"M\(x.short) \((y - 4).short) h22\"/>"
            + "<text x=\"\((x + 30).short)\" y=\"\(y.short)\">limit</text>\n"
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "<": result += "&lt;"
            case "&": result += "&amp;"
            default: result.append(character)
            }
        }
    }
}

/// A logarithmic axis.
private struct Axis {
    /// Values worth a line: 1, 2 and 5 times the powers of ten, from end to end.
    private(set) var marks: [Double] = []
    private let low: Double, high: Double
    private let start: Double, end: Double

    init(from low: Double, to high: Double, at start: Double, until end: Double) {
        (self.low, self.high, self.start, self.end) = (log2(low), log2(high), start, end)
    }

    /// From the last mark below the values to the first above them.
    init(decades values: ClosedRange<Double>, at start: Double, until end: Double) {
        let exponents = Int(log10(values.lowerBound).rounded(.down))...Int(log10(values.upperBound).rounded(.up))
        let all = exponents.flatMap { exponent in [1, 2, 5].map { $0 * pow(10, Double(exponent)) } }
        let first = all.last { $0 <= values.lowerBound } ?? all[0]
        let last = all.first { $0 >= values.upperBound && $0 > first } ?? all[all.count - 1]
        self.init(from: first, to: last, at: start, until: end)
        marks = all.filter { $0 >= first && $0 <= last }
    }

    func place(_ value: Double) -> Double { start + (log2(value) - low) / (high - low) * (end - start) }
}

extension Double {
    /// One digit after the point, and none where it is 0.
    fileprivate var short: String {
        let tenths = Int((self * 10).rounded())
        return tenths.isMultiple(of: 10) ? "\(tenths / 10)" : "\(Double(tenths) / 10)"
    }
}
