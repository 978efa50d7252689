/// The `Date` of an answer in IMF-fixdate (RFC 9110, 5.6.7), made once a second and not once an answer.
///
/// ```swift
/// var date = HTTPDate()
/// date.update(unixSeconds: now)   // cheap while the second is the same
/// ```
public struct HTTPDate: Sendable {
    private var second: Int
    /// 29 bytes, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    private(set) var bytes: [UInt8]

    /// - Parameter unixSeconds: seconds since 1970-01-01 00:00:00 UTC, not negative.
    public init(unixSeconds: Int = 0) {
        second = unixSeconds
        bytes = Self.format(unixSeconds)
    }

    public mutating func update(unixSeconds: Int) {
        guard unixSeconds != second else { return }
        second = unixSeconds
        bytes = Self.format(unixSeconds)
    }

    public var text: String { String(decoding: bytes, as: UTF8.self) }

    private static func format(_ unixSeconds: Int) -> [UInt8] {
        let dayNames = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let monthNames = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let (days, time) = max(unixSeconds, 0).quotientAndRemainder(dividingBy: 86400)
        let date = civilDate(days: days)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return Array(
            """
            \(dayNames[days % 7]), \(two(date.day)) \(monthNames[date.month - 1]) \(date.year) \
            \(two(time / 3600)):\(two(time / 60 % 60)):\(two(time % 60)) GMT
            """.utf8
        )
    }

    /// Days since 1970-01-01 to a Gregorian date, by Howard Hinnant's `civil_from_days`: years that start in March, so
    /// that the leap day is the last of its year.
    private static func civilDate(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
