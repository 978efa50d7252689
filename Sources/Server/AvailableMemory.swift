import Foundation

/// Bytes of memory that this process may use: the machine's, or its control group's limit where that is less.
func availableMemory() -> Int {
    let machine = Int(ProcessInfo.processInfo.physicalMemory)
    // cgroup v2: a number, or `max` for no limit.
    guard let text = try? String(contentsOfFile: "/sys/fs/cgroup/memory.max", encoding: .utf8),
        let limit = Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
    else { return machine }
    return min(machine, limit)
}
