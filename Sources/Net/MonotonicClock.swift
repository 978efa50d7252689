import Glibc

/// Nanoseconds of CLOCK_MONOTONIC: what deadlines and arrival times count in.
func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Seconds since 1970, for `Date`. The coarse clock is a few milliseconds late and costs no system call.
func unixSeconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME_COARSE, &time)
    return time.tv_sec
}
