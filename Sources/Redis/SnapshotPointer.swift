/// What stands under a session's key: where its newest snapshot is. Written last, so whoever reads it finds all of the
/// snapshot, and never parts of two: every snapshot has chunk keys of its own.
///
/// As text: `1 VERSION SET CHUNKS STORED RAW CODING`, the set in hexadecimal.
struct SnapshotPointer: Sendable, Hashable {
    /// Of this text; another one is not read.
    private static let format = "1"

    /// Counts the session's snapshots, for compare-and-swap. From 1.
    var version: Int
    /// Random, in the names of the snapshot's chunks.
    var set: UInt64
    var chunks: Int
    /// Bytes of all chunks.
    var stored: Int
    /// Bytes of the snapshot.
    var raw: Int
    var coding: SnapshotCoding

    init(version: Int, set: UInt64, chunks: Int, stored: Int, raw: Int, coding: SnapshotCoding) {
        self.version = version
        self.set = set
        self.chunks = chunks
        self.stored = stored
        self.raw = raw
        self.coding = coding
    }

    /// Nil for what is no pointer: another version wrote it, or it was damaged. It is overwritten then.
    init?(_ text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 7, words[0] == Self.format, let version = Int(words[1]), version > 0,
            let set = UInt64(words[2], radix: 16), let chunks = Int(words[3]), chunks > 0,
            let stored = Int(words[4]), stored >= chunks, let raw = Int(words[5]), raw > 0,
            let coding = SnapshotCoding(rawValue: String(words[6]))
        else { return nil }
        self.init(version: version, set: set, chunks: chunks, stored: stored, raw: raw, coding: coding)
    }

    var text: String {
        "\(Self.format) \(version) \(String(set, radix: 16)) \(chunks) \(stored) \(raw) \(coding.rawValue)"
    }
}
