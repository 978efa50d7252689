/// Numbers with a unit: `256MiB`, `10s`. The value is in the smallest unit; units are from the largest to the smallest.
struct Quantity: Sendable {
    let units: [(suffix: String, factor: Int)]
    /// The factor of a number without unit.
    let plain: Int

    /// Sizes. Binary units only: whether a megabyte has 1000² or 1024² bytes is nobody's guess to make.
    static let bytes = Quantity(
        units: [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)],
        plain: 1
    )

    /// Times, in milliseconds. Without unit: seconds.
    static let time = Quantity(units: [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)], plain: 1000)

    /// Nil for what is no quantity, and for what does not fit.
    func read(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let suffix = text.dropFirst(digits.count)
        guard let number = Int(digits) else { return nil }
        let factor = suffix.isEmpty ? plain : units.first { $0.suffix == suffix }?.factor
        guard let factor else { return nil }
        let (value, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : value
    }

    /// In the largest unit that divides the value; 0 in the unit of plain numbers.
    func show(_ value: Int) -> String {
        guard value != 0 else { return "0" }
        let unit = units.first { value.isMultiple(of: $0.factor) }
        return unit.map { "\(value / $0.factor)\($0.suffix)" } ?? "\(value)"
    }

    static func show(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        return time.show(Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000))
    }
}

/// Text as a YAML scalar.
enum YAMLText {
    /// In double quotes, with the escapes of YAML 1.2, section 5.7.
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case "\0"..<" ": quoted += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
