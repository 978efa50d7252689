// How many processors this process may use: the machine's are not all its own in a container or under taskset.

import CShims
import Foundation
import Glibc

/// Processors that this process may use: those of its affinity mask, no more than its control group's quota pays for, at
/// least one.
public func availableProcessors() -> Int {
    let affinity = Int(catena_affinity_count())
    let allowed = affinity > 0 ? affinity : max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    guard let text = try? String(contentsOfFile: "/sys/fs/cgroup/cpu.max", encoding: .utf8),
        let quota = processors(inCPUMax: text)
    else { return allowed }
    return min(allowed, quota)
}

/// Reads `cpu.max` of cgroup v2: `max 100000` (no limit: nil) or `150000 100000`, which pays for one and a half
/// processors and is rounded up.
func processors(inCPUMax text: String) -> Int? {
    let words = text.split(whereSeparator: \.isWhitespace)
    guard words.count == 2, let quota = Double(words[0]), let period = Double(words[1]), quota > 0, period > 0 else {
        return nil
    }
    return max(1, Int((quota / period).rounded(.up)))
}
