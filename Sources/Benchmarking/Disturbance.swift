// How quiet the machine was: what others took of the processors during a run.

import Foundation
import Glibc

/// Processor time since the machine started, in seconds: of all processes, of this one, and what the hypervisor took.
struct ProcessorTimes: Equatable {
    var busy: Double
    var stolen: Double
    var own: Double

    static func now() -> ProcessorTimes? {
        guard let text = try? String(contentsOfFile: "/proc/stat", encoding: .utf8) else { return nil }
        // This process's and those of children that have ended.
        let own = [RUSAGE_SELF, RUSAGE_CHILDREN].reduce(0.0) { sum, who in
            var usage = rusage()
            guard getrusage(who.rawValue, &usage) == 0 else { return sum }
            return sum
                + [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
        }
        return ProcessorTimes(stat: text, ticks: Double(sysconf(Int32(_SC_CLK_TCK))), own: own)
    }

    /// Reads the line `cpu  user nice system idle iowait irq softirq steal ...`, in `ticks` a second.
    init?(stat text: String, ticks: Double, own: Double) {
        guard let line = text.split(separator: "\n").first, line.hasPrefix("cpu ") else { return nil }
        let fields = line.split(separator: " ").dropFirst().compactMap { Double($0) }
        guard fields.count >= 8 else { return nil }
        busy = (fields[0] + fields[1] + fields[2] + fields[5] + fields[6]) / ticks
        stolen = fields[7] / ticks
        self.own = own
    }

    /// What others had since `earlier`, in processors: 0.5 is half of one.
    func disturbance(since earlier: ProcessorTimes, seconds: Double) -> BenchReport.Disturbance {
        BenchReport.Disturbance(
            others: max(busy - earlier.busy - (own - earlier.own), 0) / seconds,
            stolen: (stolen - earlier.stolen) / seconds
        )
    }
}
