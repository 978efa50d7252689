// Numbers and tables as the commands print them.

/// Rows as lines, columns aligned to the right: for numbers.
func alignedRight(_ rows: [[String]]) -> [String] {
    aligned(rows) { text, width in String(repeating: " ", count: width - text.count) + text }
}

/// Rows as lines, columns aligned to the left: for names.
func alignedLeft(_ rows: [[String]]) -> [String] {
    aligned(rows) { text, width in text + String(repeating: " ", count: width - text.count) }
}

private func aligned(_ rows: [[String]], pad: (String, Int) -> String) -> [String] {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
        rows.map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
        let cells = row.enumerated().map { pad($0.element, widths[$0.offset]) }
        var line = cells.joined(separator: "  ")
        while line.last == " " { line.removeLast() }
        return line
    }
}

/// `1234567` as `1,234,567`.
func grouped(_ number: Int) -> String {
    var text = ""
    for (index, digit) in String(abs(number)).reversed().enumerated() {
        if index > 0 && index % 3 == 0 { text.append(",") }
        text.append(digit)
    }
    return (number < 0 ? "-" : "") + String(text.reversed())
}

/// A number with a fixed count of digits after the point.
func fixed(_ number: Double, digits: Int) -> String {
    guard number.isFinite else { return "\(number)" }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = (abs(number) * scale).rounded()
    let whole = Int(scaled / scale)
    let fraction = String(Int(scaled - Double(whole) * scale))
    let sign = number < 0 && scaled > 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(whole)" }
    return "\(sign)\(whole)." + String(repeating: "0", count: digits - fraction.count) + fraction
}
