// What this process has in memory, by the kernel's own count.

import Glibc

/// Bytes of this process's pages in memory, by what they are of.
struct ResidentMemory: Equatable {
    /// Those of no file: the heap, buffers, stacks.
    var anonymous = 0
    /// Those of weight files.
    var weightFiles = 0
    /// Those of other files: the program and its libraries, which other processes may share.
    var otherFiles = 0

    var resident: Int { anonymous + weightFiles + otherFiles }

    /// Reads `/proc/self/smaps`; nil where there is none.
    static func measure() -> ResidentMemory? {
        guard let file = fopen("/proc/self/smaps", "re") else { return nil }
        defer { fclose(file) }
        // The kernel hands it out a page at a time, at which Foundation takes the first short read for the end.
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { text += chunk[..<count] }
        return ResidentMemory(smaps: String(decoding: text, as: UTF8.self))
    }

    /// Reads mappings, each a line `7f00-7f10 r--p 00000000 fd:00 42   /path` and then lines like `Rss:     1234 kB`.
    init(smaps text: String) {
        var isWeights = false
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 5)
            if words.count >= 5, words[0].contains("-") {
                // A file that was removed while it is mapped: "/path (deleted)".
                isWeights = words.count == 6 && words[5].contains(".safetensors")
            } else if words.count == 3, words[2] == "kB", let size = Int(words[1]) {
                let bytes = size * 1024
                if words[0] == "Rss:" {
                    if isWeights { weightFiles += bytes } else { otherFiles += bytes }
                } else if words[0] == "Anonymous:" {
                    // Pages of a file's mapping that were written to are of no file any more.
                    anonymous += bytes
                    if isWeights { weightFiles -= bytes } else { otherFiles -= bytes }
                }
            }
        }
    }
}
