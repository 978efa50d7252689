// The limits of a report: which are measured, and which one is a format's.

import Foundation
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

/// Sizes of the first processor's caches in bytes, as the kernel knows them (the C library's figures are wrong on virtual
/// machines); common ones where it does not.
enum CacheSizes {
    static var level2: Int { read(level: 2) ?? 1 << 20 }
    static var level3: Int { read(level: 3) ?? 32 << 20 }

    private static func read(level: Int) -> Int? {
        func text(_ name: String) -> String? {
            let path = "/sys/devices/system/cpu/cpu0/cache/\(name)"
            return try? String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        }
        for index in 0..<8 where text("index\(index)/level") == "\(level)" {
            return text("index\(index)/size").flatMap(bytes)
        }
        return nil
    }

    /// Reads `32768K` or `32M`.
    static func bytes(_ text: String) -> Int? {
        let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
        guard let unit = text.last.flatMap({ units[$0] }), let count = Int(text.dropLast()) else { return Int(text) }
        return count * unit
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
