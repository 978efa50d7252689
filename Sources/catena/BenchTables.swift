// The tables that `catena bench` prints. docs/benchmarks.md says how to read each column.

import Benchmarking

struct BenchTables {
    let text: String

    init(_ report: BenchReport) {
        let subject = report.subject
        let largest = subject.chains.count
        var parts = [
            "\(subject.name): \(grouped(subject.parameters[largest - 1])) parameters a token at \(largest) chains, "
                + "\(subject.dtype), \(megabytes(subject.decodeBytes[largest - 1])) MB a step; kernels \(subject.kernels), "
                + "threads: \(subject.threads)",
            Self.limits(report),
            Self.prefill(report),
            Self.firstToken(report),
            Self.decode(report),
        ]
        if let mixed = report.mixed { parts.append(Self.mixed(mixed)) }
        if let dense = report.dense { parts.append(Self.dense(dense)) }
        parts.append(Self.overhead(report))
        if let memory = report.memory { parts.append(Self.memory(memory)) }
        if !report.contended.isEmpty { parts.append(Self.contended(report)) }
        text = parts.joined(separator: "\n\n")
    }

    private static func limits(_ report: BenchReport) -> String {
        func rows(_ limits: [BenchReport.Limit], _ label: String) -> [[String]] {
            limits.map { limit in
                ["\(label) \(limit.name)"] + [limit.oneThread, limit.allThreads].map { giga($0) }
            }
        }
        return table(
            "limits of this machine",
            ["", "1 thread", "all threads"],
            rows(report.bandwidths, "GB/s read,") + rows(report.peaks, "G op/s,")
        )
    }

    private static func prefill(_ report: BenchReport) -> String {
        table(
            "prefill",
            ["tokens", "ms", "tokens/s", "of peak", "of closed form"],
            report.prefill.map {
                [
                    "\($0.tokens)", milliseconds($0.seconds), fixed($0.tokensPerSecond, digits: 0),
                    percent($0.shareOfPeak), percent($0.shareOfClosedForm),
                ]
            }
        )
    }

    private static func firstToken(_ report: BenchReport) -> String {
        table(
            "time to first token",
            ["k", "tokens", "ms", "of closed form"],
            report.firstToken.map {
                ["\($0.chains)", "\($0.tokens)", milliseconds($0.seconds), percent($0.shareOfClosedForm)]
            }
        )
    }

    private static func decode(_ report: BenchReport) -> String {
        table(
            "decode",
            ["k", "rows", "ms/step", "tokens/s", "weights MB", "GB/s", "read GB/s", "of read", "of closed form"],
            report.decode.map {
                [
                    "\($0.chains)", "\($0.rows)", milliseconds($0.seconds), fixed($0.tokensPerSecond, digits: 0),
                    megabytes($0.weightBytes), giga($0.weightBytesPerSecond), giga($0.bandwidth),
                    percent($0.shareOfBandwidth), percent($0.shareOfClosedForm),
                ]
            }
        )
    }

    private static func mixed(_ mixed: BenchReport.Mixed) -> String {
        let rows = mixed.rows.map(String.init).joined(separator: ",")
        return "mixed batch, k = \(rows): \(milliseconds(mixed.seconds)) ms a step, closed form "
            + "\(milliseconds(mixed.closedFormSeconds)) ms, \(fixed(mixed.seconds / mixed.closedFormSeconds, digits: 2)) "
            + "times that"
    }

    private static func dense(_ dense: BenchReport.Dense) -> String {
        "prefill of \(dense.tokens) tokens: \(milliseconds(dense.seconds)) ms, dense model of the same width "
            + "\(milliseconds(dense.denseSeconds)) ms: \(fixed(dense.speedUp, digits: 1)) times as fast, closed form "
            + fixed(dense.expectedSpeedUp, digits: 1)
    }

    private static func overhead(_ report: BenchReport) -> String {
        table(
            "engine, one row",
            ["k", "ms/step", "us outside the forward pass", "share"],
            report.overhead.map {
                [
                    "\($0.chains)", milliseconds($0.stepSeconds), fixed($0.outsideSeconds * 1e6, digits: 1),
                    fixed($0.share * 100, digits: 1) + " %",
                ]
            }
        )
    }

    private static func memory(_ memory: BenchReport.Memory) -> String {
        "memory, MB: resident \(megabytes(memory.resident)) (files \(megabytes(memory.file)), own "
            + "\(megabytes(memory.anonymous))); weights \(megabytes(memory.weights)), KV pool "
            + "\(megabytes(memory.pool)), the rest \(megabytes(memory.rest))"
    }

    private static func contended(_ report: BenchReport) -> String {
        table(
            "with one processor contended",
            ["", "quiet tokens/s", "contended", "kept"],
            report.contended.map {
                [
                    $0.name, fixed($0.quietTokensPerSecond, digits: 0), fixed($0.contendedTokensPerSecond, digits: 0),
                    percent($0.share),
                ]
            }
        )
    }

    // MARK: Cells

    private static func table(_ title: String, _ head: [String], _ rows: [[String]]) -> String {
        ([title] + alignedRight([head] + rows)).joined(separator: "\n")
    }
}

private func milliseconds(_ seconds: Double) -> String {
    fixed(seconds * 1e3, digits: seconds < 0.01 ? 3 : seconds < 0.1 ? 2 : 1)
}

private func giga(_ rate: Double?) -> String { rate.map { fixed($0 / 1e9, digits: 1) } ?? "n/a" }

private func megabytes(_ bytes: some BinaryInteger) -> String { megabytes(Double(bytes)) }

private func megabytes(_ bytes: Double) -> String { fixed(bytes / 1e6, digits: 1) }

private func percent(_ share: Double) -> String { fixed(share * 100, digits: 0) + " %" }
