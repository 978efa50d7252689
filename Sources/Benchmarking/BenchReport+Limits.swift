// The limits of a report: which are measured, and which one is a format's.

import Glibc
import Tensor

extension BenchReport {
    /// The machine's rates, for one thread and for all.
    mutating func measureLimits(_ machine: MachineLimits) {
        let l2 = CacheSizes.level2 / 2, l3 = CacheSizes.level3 / 2
        bandwidths = [
            Limit(
                name: "memory, \(machine.bufferBytes >> 20) MB",
                oneThread: machine.readBandwidth(threads: 1),
                allThreads: machine.readBandwidth()
            ),
            // All threads share the third level, and each has a second of its own.
            Limit(
                name: "half of L3, \(l3 >> 10) KB",
                oneThread: machine.cacheBandwidth(bytes: l3, threads: 1),
                allThreads: machine.cacheBandwidth(bytes: l3 / machine.workers)
            ),
            Limit(
                name: "half of L2, \(l2 >> 10) KB",
                oneThread: machine.cacheBandwidth(bytes: l2, threads: 1),
                allThreads: machine.cacheBandwidth(bytes: l2)
            ),
        ]
        peaks = MachineLimits.Arithmetic.allCases.map {
            Limit(name: $0.rawValue, oneThread: machine.dotPeak($0, threads: 1), allThreads: machine.dotPeak($0))
        }
    }

    /// The peak of all threads in an arithmetic, or of f32 where the processor has no instruction for it.
    func peak(of arithmetic: MachineLimits.Arithmetic) -> Double {
        for name in [arithmetic, .f32] {
            if let peak = peaks.first(where: { $0.name == name.rawValue })?.allThreads { return peak }
        }
        preconditionFailure("every processor multiplies f32")
    }
}

/// Sizes of the caches in bytes, as the C library knows them; common ones where it does not.
private enum CacheSizes {
    static var level2: Int { size(_SC_LEVEL2_CACHE_SIZE, otherwise: 1 << 20) }
    static var level3: Int { size(_SC_LEVEL3_CACHE_SIZE, otherwise: 32 << 20) }

    private static func size(_ name: Int, otherwise value: Int) -> Int {
        let size = sysconf(Int32(name))
        return size > 0 ? size : value
    }
}

extension WeightFormat {
    /// The arithmetic whose peak a product with such weights can reach.
    var arithmetic: MachineLimits.Arithmetic {
        switch self {
        case .f32, .f16: .f32
        case .bf16: .bf16
        case .int8, .int4: .int8
        }
    }
}
