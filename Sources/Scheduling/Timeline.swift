/// The scheduler's own time: seconds since the first instant it was told.
///
/// Every step does arithmetic with the times of every request, and that is many times faster on plain numbers than on
/// clock instants, whose layout a program does not know when it is compiled.
struct Timeline: Sendable {
    private var origin: ContinuousClock.Instant?

    mutating func seconds(at instant: ContinuousClock.Instant) -> Double {
        guard let origin else {
            origin = instant
            return 0
        }
        return (instant - origin) / .seconds(1)
    }
}
