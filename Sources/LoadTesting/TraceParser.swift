/// Reads a trace as the Azure LLM inference traces are written (Azure/AzurePublicDataset):
///
/// ```
/// TIMESTAMP,ContextTokens,GeneratedTokens
/// 2023-11-16 18:17:03.9799600,4808,10
/// ```
///
/// The first column is a date and time (`T` or a space between them, any fraction of a second, `Z` or an offset at its end
/// or nothing, as long as all rows agree in what they mean), or plain seconds. Lines end with LF or CR LF, rows ascend in
/// time. Takes the file in pieces of any size.
package struct TraceParser: Sendable {
    static let header = "TIMESTAMP,ContextTokens,GeneratedTokens"
    /// The longest line that is taken: a file that is no trace shall not fill the memory.
    private static let longestLine = 256

    private var line: [UInt8] = []
    /// Of the line being read, counted from 1.
    private var number = 1
    private var hasHeader = false
    private var rows: [Trace.Row] = []
    /// Nanoseconds of the first row and of the last one.
    private var first: Int?
    private var last = 0

    package init() {}

    /// Takes the next bytes of the file.
    /// - Throws: the first mistake, with its line.
    package mutating func append(_ bytes: some Sequence<UInt8>) throws(WorkloadError) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                try endLine()
            } else {
                guard line.count < Self.longestLine else {
                    throw error("a line of more than \(Self.longestLine) bytes")
                }
                line.append(byte)
            }
        }
    }

    /// The trace, at the end of the file.
    package consuming func finish() throws(WorkloadError) -> Trace {
        if !line.isEmpty { try endLine() }
        guard hasHeader else { throw error("an empty file") }
        guard !rows.isEmpty else { throw error("no rows after the header") }
        return Trace(rows: rows)
    }

    private mutating func endLine() throws(WorkloadError) {
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        if !hasHeader {
            guard line.elementsEqual(Self.header.utf8) else {
                throw error("the first line is not '\(Self.header)'")
            }
            hasHeader = true
        } else if !line.isEmpty {
            try row()
        }
        line.removeAll(keepingCapacity: true)
        number += 1
    }

    private mutating func row() throws(WorkloadError) {
        let columns = line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard columns.count == 3 else { throw error("\(columns.count) columns; there must be 3") }
        guard let time = Timestamp.nanoseconds(columns[0]) else {
            throw error("TIMESTAMP is '\(text(columns[0]))'; it must be YYYY-MM-DD HH:MM:SS.fraction, or seconds")
        }
        let context = try count(columns[1], "ContextTokens")
        let generated = try count(columns[2], "GeneratedTokens")
        let start = first ?? time
        guard first == nil || time >= last else {
            throw error("TIMESTAMP '\(text(columns[0]))' lies before that of the row above; sort the trace by time")
        }
        first = start
        last = time
        rows.append(
            .init(time: Double(time - start) / 1e9, contextTokens: context, generatedTokens: generated)
        )
    }

    private func count(_ column: ArraySlice<UInt8>, _ name: String) throws(WorkloadError) -> Int {
        guard let count = Timestamp.number(column), count <= LengthDistribution.longest else {
            throw error(
                "\(name) is '\(text(column))'; it must be a whole number from 0 to \(LengthDistribution.longest)"
            )
        }
        return count
    }

    private func text(_ column: ArraySlice<UInt8>) -> String { String(decoding: column.prefix(40), as: UTF8.self) }

    private func error(_ problem: String) -> WorkloadError { WorkloadError("line \(number): \(problem)") }
}

/// A point in time as text.
enum Timestamp {
    /// Nanoseconds from some origin: 1970 for dates (UTC if no offset is given), 0 for plain seconds. Nil for anything else.
    static func nanoseconds(_ text: ArraySlice<UInt8>) -> Int? {
        if text.dropFirst(4).first == UInt8(ascii: "-") { return date(text) }
        var rest = text
        guard let whole = digits(&rest, count: nil), whole < 1_000_000_000,
            let fraction = fraction(&rest), rest.isEmpty
        else { return nil }
        return whole * 1_000_000_000 + fraction
    }

    /// A whole number without sign, at most 12 digits.
    static func number(_ text: ArraySlice<UInt8>) -> Int? {
        var rest = text
        guard let value = digits(&rest, count: nil), rest.isEmpty else { return nil }
        return value
    }

    private static func date(_ text: ArraySlice<UInt8>) -> Int? {
        var rest = text
        guard let year = digits(&rest, count: 4), take("-", &rest), let month = digits(&rest, count: 2),
            take("-", &rest), let day = digits(&rest, count: 2), take(" ", &rest) || take("T", &rest),
            let hour = digits(&rest, count: 2), take(":", &rest), let minute = digits(&rest, count: 2),
            take(":", &rest), let second = digits(&rest, count: 2), let fraction = fraction(&rest),
            let offset = offset(&rest), rest.isEmpty,
            (1678...2261).contains(year), (1...12).contains(month), (1...days(of: month, year)).contains(day),
            hour < 24, minute < 60, second < 61
        else { return nil }
        let seconds = daysSince1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset
        return seconds * 1_000_000_000 + fraction
    }

    private static func take(_ character: Unicode.Scalar, _ rest: inout ArraySlice<UInt8>) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    /// Steps over `count` digits, or over 1 to 12.
    private static func digits(_ rest: inout ArraySlice<UInt8>, count: Int?) -> Int? {
        let digits = rest.prefix { (48...57).contains($0) }.prefix(count ?? 13)
        guard !digits.isEmpty, digits.count <= 12, count.map({ $0 == digits.count }) ?? true else { return nil }
        rest = rest.dropFirst(digits.count)
        return digits.reduce(0) { $0 * 10 + Int($1 - 48) }
    }

    /// Nanoseconds of `.123`, 0 if there is no point.
    private static func fraction(_ rest: inout ArraySlice<UInt8>) -> Int? {
        guard take(".", &rest) else { return 0 }
        let digits = rest.prefix { (48...57).contains($0) }
        guard !digits.isEmpty else { return nil }
        rest = rest.dropFirst(digits.count)
        // Digits beyond nanoseconds are cut off.
        return (0..<9).reduce(0) { sum, place in
            sum * 10 + (place < digits.count ? Int(digits[digits.startIndex + place] - 48) : 0)
        }
    }

    /// Seconds of `+01:00`; 0 for `Z` and for nothing.
    private static func offset(_ rest: inout ArraySlice<UInt8>) -> Int? {
        if rest.isEmpty || take("Z", &rest) { return 0 }
        let sign = take("-", &rest) ? -1 : take("+", &rest) ? 1 : 0
        guard sign != 0, let hours = digits(&rest, count: 2), take(":", &rest), let minutes = digits(&rest, count: 2)
        else { return nil }
        return sign * (hours * 3600 + minutes * 60)
    }

    private static func days(of month: Int, _ year: Int) -> Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    }

    /// Days of the Gregorian calendar, counted in years that begin in March, so that the leap day is the last.
    private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let years = month > 2 ? year : year - 1
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return 365 * years + years / 4 - years / 100 + years / 400 + dayOfYear - 719_468
    }
}
