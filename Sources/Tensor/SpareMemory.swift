import Synchronization

/// Large runs of memory that nobody has any more, kept for whoever needs one next.
///
/// Linux zeros every page before it hands it out, large ones as well, which takes as long as to fill it. A session that moves
/// passes through three such runs: one that Redis is read into, and, when it is written again, a copy of its blocks, which
/// the engine thread makes between two steps, and its snapshot.
///
/// Cost: a search through what is kept, some dozens at most.
final class SpareMemory: Sendable {
    /// A run of memory, which holds anything.
    final class Run: Sendable {
        let buffer: AlignedBuffer<UInt8>

        init(count: Int, isHuge: Bool) { buffer = AlignedBuffer(count: count, isHuge: isHuge) }
    }

    /// The process's own.
    static let shared = SpareMemory(limit: 64 << 20)

    /// All runs are multiples of it, so that those of sessions of about a length fit each other.
    private static let unit = 2 << 20

    /// The most bytes that are kept.
    private let limit: Int
    /// In the order in which they came.
    private let runs = Mutex<[Run]>([])

    init(limit: Int) {
        self.limit = limit
    }

    /// A run of at least so many bytes, and at most twice as many in units.
    func take(_ count: Int) -> Run {
        let size = (count + Self.unit - 1) / Self.unit * Self.unit
        let spare = runs.withLock { runs -> Run? in
            let fitting = runs.indices.filter { (size...2 * size).contains(runs[$0].buffer.count) }
            return fitting.min { runs[$0].buffer.count < runs[$1].buffer.count }.map { runs.remove(at: $0) }
        }
        return spare ?? Run(count: size, isHuge: true)
    }

    /// Keeps a run that nobody uses, in the place of those that were kept for the longest.
    func giveBack(_ run: Run) {
        guard run.buffer.count <= limit else { return }
        let surplus = runs.withLock { runs -> [Run] in
            runs.append(run)
            var bytes = runs.reduce(0) { $0 + $1.buffer.count }
            var count = 0
            while bytes > limit {
                bytes -= runs[count].buffer.count
                count += 1
            }
            defer { runs.removeFirst(count) }
            return Array(runs.prefix(count))
        }
        // Unmapping takes its time, and is nobody's to wait for.
        _ = consume surplus
    }
}
