/// A deadline that moves back as bytes pass: an allowance, and beside it the time they would take at a least rate.
///
/// Attack (slow body, slow reader): one byte just before each idle timeout holds a connection for hours. Here every byte
/// earns its own time only.
struct PacedDeadline {
    private let start: UInt64
    private let allowance: UInt64
    private let nanosecondsPerByte: UInt64
    private var bytes: UInt64 = 0

    /// - Parameters:
    ///   - start: now, in nanoseconds of CLOCK_MONOTONIC.
    ///   - rate: bytes a second; 0 or less lets no byte earn time.
    init(start: UInt64, allowance: Duration, rate: Int) {
        self.start = start
        self.allowance = allowance.nanoseconds
        nanosecondsPerByte = rate > 0 ? 1_000_000_000 / UInt64(rate) : 0
    }

    mutating func pass(_ count: Int) {
        bytes += UInt64(count)
    }

    func isOver(at now: UInt64) -> Bool {
        now > start + allowance + bytes * nanosecondsPerByte
    }
}
