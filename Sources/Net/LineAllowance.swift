/// How many lines of one kind the log takes. Strangers cause such lines as often as they like, and must not fill a disk with
/// them: in each period a few are written, and the next one says how many were not.
///
/// A value with the time passed in.
struct LineAllowance: Sendable, Hashable {
    private let most: Int
    private let period: UInt64
    private var periodStart: UInt64?
    private var written = 0
    private var leftOut = 0

    /// - Parameters:
    ///   - most: lines of a period.
    ///   - period: which begins with its first line.
    init(most: Int, per period: Duration) {
        self.most = most
        self.period = period.nanoseconds
    }

    /// Asks to write a line.
    ///
    /// - Parameter now: in nanoseconds of a clock that only goes forward; readings of several threads may be a little out of
    ///   order.
    /// - Returns: how many were left out before it; nil: this one is left out.
    mutating func take(now: UInt64) -> Int? {
        if let start = periodStart, now < start || now - start < period {
            guard written < most else {
                leftOut += 1
                return nil
            }
        } else {
            periodStart = now
            written = 0
        }
        written += 1
        defer { leftOut = 0 }
        return leftOut
    }
}
