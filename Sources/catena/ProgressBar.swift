import Glibc

/// One line on the terminal that says how far a long job is, how fast it goes and how long it will still take.
/// Writes nothing where standard error is no terminal.
struct ProgressBar {
    private let label: String
    private let total: Int
    private let unit: String
    private let start = ContinuousClock.now
    private var lastDrawn: ContinuousClock.Instant?
    private let isTerminal = isatty(STDERR_FILENO) == 1

    init(_ label: String, total: Int, unit: String) {
        self.label = label
        self.total = max(total, 1)
        self.unit = unit
    }

    /// Draws the line, at most ten times a second.
    mutating func update(_ done: Int) {
        let now = ContinuousClock.now
        guard isTerminal, lastDrawn.map({ now - $0 >= .milliseconds(100) }) ?? true else { return }
        lastDrawn = now
        let seconds = (now - start) / .seconds(1)
        let rate = seconds > 0 ? Double(done) / seconds : 0
        let left = rate > 0 ? "\(Int(Double(total - done) / rate)) s left" : ""
        let filled = 30 * min(done, total) / total
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 30 - filled)
        write("\r\(label) [\(bar)] \(done * 100 / total) %  \(fixed(rate, digits: 0)) \(unit)/s  \(left)   ")
    }

    /// Clears the line.
    func finish() {
        guard isTerminal else { return }
        write("\r\u{1B}[K")
    }

    private func write(_ text: String) {
        var text = text
        text.withUTF8 { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
