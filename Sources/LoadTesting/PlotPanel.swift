import Glibc

/// A rectangle of a plot with two linear axes, their grid and labels: numbers in, SVG out.
struct PlotPanel {
    /// Of the area inside the axes.
    let x: Double, y: Double, width: Double, height: Double
    let horizontal: ClosedRange<Double>
    let vertical: ClosedRange<Double>

    func across(_ value: Double) -> Double {
        x + (value - horizontal.lowerBound) / (horizontal.upperBound - horizontal.lowerBound) * width
    }

    func up(_ value: Double) -> Double {
        y + height - (value - vertical.lowerBound) / (vertical.upperBound - vertical.lowerBound) * height
    }

    /// Grid lines with their numbers, the axes' names, and a title over the panel.
    func frame(title: String, across acrossName: String, up upName: String, marks: (across: Int, up: Int)) -> String {
        var svg = "<text x=\"\(x.short)\" y=\"\((y - 10).short)\" class=\"title\">\(title.escaped)</text>\n"
        for mark in Self.marks(vertical, about: marks.up) {
            let place = up(mark).short
            svg +=
                "<path class=\"grid\" d=\"M\(x.short) \(place)h\(width.short)\"/>"
                + "<text x=\"\((x - 7).short)\" y=\"\((up(mark) + 4).short)\" text-anchor=\"end\">\(mark.short)</text>\n"
        }
        for mark in Self.marks(horizontal, about: marks.across) {
            let place = across(mark).short
            svg +=
                "<path class=\"grid\" d=\"M\(place) \(y.short)v\(height.short)\"/>"
                + "<text x=\"\(place)\" y=\"\((y + height + 17).short)\" text-anchor=\"middle\">\(mark.short)</text>\n"
        }
        svg +=
            "<text x=\"\((x + width / 2).short)\" y=\"\((y + height + 34).short)\" text-anchor=\"middle\">"
            + "\(acrossName.escaped)</text>\n"
        svg +=
            "<text transform=\"translate(\((x - 44).short) \((y + height / 2).short)) rotate(-90)\" "
            + "text-anchor=\"middle\">\(upName.escaped)</text>\n"
        return svg
    }

    /// A line through points; `attributes` gives its class or colour.
    func line(_ points: some Sequence<(Double, Double)>, _ attributes: String) -> String {
        let steps = points.enumerated().map {
            "\($0.offset == 0 ? "M" : "L")\(across($0.element.0).short) \(up($0.element.1).short)"
        }
        return steps.isEmpty ? "" : "<path \(attributes) d=\"\(steps.joined())\"/>\n"
    }

    /// The area between two lines over the same places.
    func area(_ places: [Double], from low: [Double], to high: [Double], _ attributes: String) -> String {
        let top = zip(places, high).map { "\(across($0).short) \(up($1).short)" }
        let bottom = zip(places, low).reversed().map { "\(across($0).short) \(up($1).short)" }
        return top.isEmpty ? "" : "<path \(attributes) d=\"M\((top + bottom).joined(separator: "L"))Z\"/>\n"
    }

    /// Dots: one path of points without length, which round caps make visible. Shorter by far than as many circles.
    func dots(_ points: some Sequence<(Double, Double)>, _ attributes: String) -> String {
        let steps = points.map { "M\(across($0.0).short) \(up($0.1).short)h0" }
        return steps.isEmpty ? "" : "<path \(attributes) d=\"\(steps.joined())\"/>\n"
    }

    /// Round numbers in a range, about so many.
    static func marks(_ range: ClosedRange<Double>, about count: Int) -> [Double] {
        let rough = (range.upperBound - range.lowerBound) / Double(max(count, 1))
        guard rough > 0, rough.isFinite else { return [range.lowerBound] }
        let power = pow(10, log10(rough).rounded(.down))
        let step = power * ([1, 2, 5].first { $0 * power >= rough * 0.999 } ?? 10)
        let first = Int((range.lowerBound / step).rounded(.up))
        let last = Int((range.upperBound / step + 1e-9).rounded(.down))
        return first > last ? [] : (first...last).map { Double($0) * step }
    }
}

extension Double {
    /// At most two digits after the point, four for small numbers, and none where they are 0.
    var short: String {
        let digits = abs(self) < 0.1 ? 10_000.0 : 100
        let rounded = (self * digits).rounded() / digits
        return rounded == rounded.rounded() && abs(rounded) < 1e15 ? "\(Int(rounded))" : "\(rounded)"
    }
}

extension String {
    /// As the text of an element.
    var escaped: String {
        reduce(into: "") { result, character in
            switch character {
            case "<": result += "&lt;"
            case "&": result += "&amp;"
            default: result.append(character)
            }
        }
    }
}
