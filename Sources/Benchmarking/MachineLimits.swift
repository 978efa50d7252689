// The machine's own limits, measured: how fast it reads memory and how fast it multiplies.

import CLimits
import Glibc
import Tensor

/// Measures how fast memory is read, and how many multiply-adds the processor does.
///
/// Read bandwidth of shared machines changes from one moment to the next, often between two levels a factor of two apart. So
/// the buffer is kept, and the bandwidth measured right before and after each figure that is held against it.
public final class MachineLimits {
    /// What a dot product multiplies.
    public enum Arithmetic: String, Sendable, CaseIterable {
        case f32
        case bf16
        case int8

        var kind: cl_dot_kind {
            switch self {
            case .f32: CL_DOT_F32
            case .bf16: CL_DOT_BF16
            case .int8: CL_DOT_I8
            }
        }

        /// Whether this processor has an instruction for it.
        public var isAvailable: Bool { cl_has_dot(kind) != 0 }
    }

    private let pool: WorkerPool
    private let buffer: AlignedBuffer<UInt8>

    /// Bytes of the buffer: well beyond any cache.
    public var bufferBytes: Int { buffer.count }
    /// Threads of the measurements that are not for one.
    public var workers: Int { pool.workers }

    private static let unit = Int(CL_READ_UNIT)
    /// Bytes that a thread reads at a time: long for the prefetchers, short against the whole, so that threads end together.
    private static let chunk = 1 << 20

    /// - Parameters:
    ///   - bytes: of the buffer; 512 MB if nil, less where that is more than an eighth of the memory.
    ///   - workers: threads; one per processor if nil.
    public init(bytes: Int? = nil, workers: Int? = nil) {
        pool = WorkerPool(workers: workers)
        let memory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        let wanted = bytes ?? min(512 << 20, max(memory / 8, 64 << 20))
        buffer = AlignedBuffer(count: max(wanted / Self.chunk, 1) * Self.chunk)
        // Huge pages, so that the page tables cost nothing; only advice, and of no harm where it is not taken.
        _ = madvise(buffer.pointer, buffer.count, Int32(MADV_HUGEPAGE))
        let start = buffer.pointer
        pool.run(tasks: buffer.count / Self.chunk) { task, _ in
            (start + task * Self.chunk).update(repeating: 1, count: Self.chunk)
        }
    }

    // MARK: Reading

    /// Bytes a second that are read from memory: the better way's median.
    ///
    /// - Parameters:
    ///   - threads: 1, or all of them if nil.
    ///   - repeats: passes over the whole buffer for each way to read it.
    public func readBandwidth(threads: Int? = nil, repeats: Int = 5) -> Double {
        var times = Array(repeating: [Double](), count: Int(CL_READERS))
        for _ in 0..<repeats {
            for reader in times.indices { times[reader].append(seconds { readAll(reader, isSerial: threads == 1) }) }
        }
        return Double(buffer.count) / (times.map { $0.median() }.min() ?? .infinity)
    }

    private func readAll(_ reader: Int, isSerial: Bool) {
        let start = buffer.pointer
        if isSerial {
            Self.keep(cl_read(Int32(reader), start, buffer.count))
        } else {
            pool.run(tasks: buffer.count / Self.chunk) { task, _ in
                Self.keep(cl_read(Int32(reader), start + task * Self.chunk, Self.chunk))
            }
        }
    }

    /// Bytes a second that threads read from a part of the buffer of `bytes` bytes each, over and over: from a cache that it
    /// fits.
    public func cacheBandwidth(bytes: Int, threads: Int? = nil, repeats: Int = 5) -> Double {
        let threads = min(threads ?? pool.workers, pool.workers)
        let each = min(max(bytes / Self.unit, 1) * Self.unit, buffer.count / threads / Self.unit * Self.unit)
        let passes = max((32 << 20) / each, 1)
        let start = buffer.pointer
        var times = Array(repeating: [Double](), count: Int(CL_READERS))
        for _ in 0..<repeats {
            for reader in times.indices {
                times[reader].append(
                    seconds {
                        pool.run(tasks: threads) { task, _ in
                            for _ in 0..<passes { Self.keep(cl_read(Int32(reader), start + task * each, each)) }
                        }
                    }
                )
            }
        }
        return Double(passes * each * threads) / (times.map { $0.median() }.min() ?? .infinity)
    }

    /// The buffer is full of ones, and an even number of them gives 0: the call has a use, and cannot be left out.
    private static func keep(_ sum: UInt64) {
        precondition(sum == 0, "the buffer has changed")
    }

    // MARK: Multiplying

    /// Multiplications and additions a second on registers; nil where the processor has no instruction for it.
    public func dotPeak(_ arithmetic: Arithmetic, threads: Int? = nil, repeats: Int = 7) -> Double? {
        guard arithmetic.isAvailable else { return nil }
        let threads = min(threads ?? pool.workers, pool.workers)
        // Several tasks a thread, each some hundred microseconds: threads end together.
        let tasks = threads == 1 ? 1 : threads * 16
        let rounds = threads == 1 ? 800_000 : 100_000
        var sink: Float = 0
        // Counts what one task does, and brings the clock up.
        let operations = cl_dot(arithmetic.kind, size_t(rounds), &sink) * Double(tasks)
        let times = (0..<repeats).map { _ in
            seconds {
                pool.run(tasks: tasks) { _, _ in
                    var sink: Float = 0
                    _ = cl_dot(arithmetic.kind, size_t(rounds), &sink)
                }
            }
        }
        return operations / times.median()
    }
}
