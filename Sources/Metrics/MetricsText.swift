/// Writes metrics in Prometheus' text format, version 0.0.4
/// (prometheus.io/docs/instrumenting/exposition_formats).
struct MetricsText {
    /// The media type of what is written.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    enum Kind: String {
        case counter, gauge, histogram
    }

    private(set) var bytes: [UInt8] = []

    /// One series for each set of labels. Begins a family: `# HELP` and `# TYPE`.
    mutating func family(_ name: String, _ kind: Kind, help: String) {
        line("# HELP \(name) \(Self.escaped(help, quote: false))")
        line("# TYPE \(name) \(kind.rawValue)")
    }

    mutating func sample(_ name: String, labels: [(String, String)] = [], _ value: Int) {
        line("\(name)\(Self.text(labels)) \(value)")
    }

    mutating func sample(_ name: String, labels: [(String, String)] = [], _ value: Double) {
        line("\(name)\(Self.text(labels)) \(Self.text(value))")
    }

    /// The buckets, the sum and the count of one histogram.
    mutating func sample(_ name: String, labels: [(String, String)] = [], _ histogram: Histogram) {
        let reading = histogram.reading
        for (bound, count) in zip(histogram.bounds.map(Self.text) + ["+Inf"], reading.cumulative) {
            sample(name + "_bucket", labels: labels + [("le", bound)], count)
        }
        sample(name + "_sum", labels: labels, reading.sum)
        sample(name + "_count", labels: labels, reading.count)
    }

    private mutating func line(_ text: String) {
        bytes.append(contentsOf: text.utf8)
        bytes.append(UInt8(ascii: "\n"))
    }

    private static func text(_ labels: [(String, String)]) -> String {
        guard !labels.isEmpty else { return "" }
        let pairs = labels.map { "\($0.0)=\"\(escaped($0.1, quote: true))\"" }
        return "{\(pairs.joined(separator: ","))}"
    }

    /// `1` and not `1.0`, as other exporters write a bucket's bound; Swift's shortest digits otherwise.
    private static func text(_ value: Double) -> String {
        Int(exactly: value).map { String($0) } ?? String(value)
    }

    /// Backslash and line feed, and the quotation mark in a label's value.
    private static func escaped(_ text: String, quote: Bool) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quote: escaped += "\\\""
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}
