// What this process has in memory, by the kernel's own count.

import Foundation

/// Bytes of this process's pages in memory.
struct ResidentMemory: Equatable {
    /// All of them.
    var resident: Int
    /// Those of no file: the heap, buffers, stacks.
    var anonymous: Int

    /// Reads `/proc/self/smaps_rollup`; nil where there is none.
    static func measure() -> ResidentMemory? {
        guard let text = try? String(contentsOfFile: "/proc/self/smaps_rollup", encoding: .utf8) else { return nil }
        return ResidentMemory(smapsRollup: text)
    }

    /// Reads lines like `Rss:     1234 kB`.
    init?(smapsRollup text: String) {
        func bytes(_ key: String) -> Int? {
            for line in text.split(separator: "\n") where line.hasPrefix(key + ":") {
                let words = line.split(separator: " ")
                return words.count == 3 && words[2] == "kB" ? Int(words[1]).map { $0 * 1024 } : nil
            }
            return nil
        }
        guard let resident = bytes("Rss"), let anonymous = bytes("Anonymous") else { return nil }
        self.resident = resident
        self.anonymous = anonymous
    }
}
