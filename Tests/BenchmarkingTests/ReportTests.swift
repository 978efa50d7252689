import Foundation
import JSON
import ModelIO
import Tensor
import Testing

@testable import Benchmarking

@Suite struct ReportTests {
    private static var report: BenchReport {
        var report = BenchReport()
        report.subject.name = "a <b> & \"c\""
        report.subject.chains = [4, 4]
        report.subject.dtype = "bf16"
        report.peaks = [
            .init(name: "bf16", oneThread: nil, allThreads: nil), .init(name: "f32", oneThread: 1, allThreads: 2),
        ]
        for (chains, rows, seconds) in [(1, 1, 0.01), (1, 8, 0.02), (2, 1, 0.1), (2, 8, 0.125)] {
            report.decode.append(
                .init(
                    chains: chains,
                    rows: rows,
                    seconds: seconds,
                    weightBytes: 1e9 * Double(chains),
                    bandwidthBefore: 2e10,
                    bandwidthAfter: 4e10,
                    shareOfClosedForm: 0.5
                )
            )
        }
        report.prefill = [.init(tokens: 512, seconds: 0.25, shareOfPeak: 0.5, shareOfClosedForm: 0.53)]
        report.memory = .init(resident: 1000, file: 600, anonymous: 400, weights: 500, pool: 100)
        report.mixed = .init(rows: [2, 1], seconds: 0.2, closedFormSeconds: 0.1)
        report.dense = .init(tokens: 512, seconds: 0.25, denseSeconds: 3, expectedSpeedUp: 14.3)
        report.overhead = [.init(chains: 1, stepSeconds: 0.01, outsideSeconds: 0.0001)]
        report.contended = [.init(name: "decode", quietTokensPerSecond: 100, contendedTokensPerSecond: 75)]
        return report
    }

    @Test func sharesAreOfTheBetterNeighbour() {
        let decode = Self.report.decode[0]
        #expect(decode.bandwidth == 4e10 && decode.weightBytesPerSecond == 1e11 && decode.shareOfBandwidth == 2.5)
        #expect(Self.report.decode[3].tokensPerSecond == 64)
        #expect(Self.report.memory?.rest == 400)
        #expect(Self.report.dense?.speedUp == 12)
        #expect(Self.report.contended[0].share == 0.75)
    }

    /// Where a processor has no bf16 dot product, f32's peak is the limit.
    @Test func missingPeaks() {
        #expect(Self.report.peak(of: .bf16) == 2)
        #expect(Self.report.peak(of: .f32) == 2)
    }

    @Test func json() throws {
        let bytes = Self.report.json
        let object = try bytes.withUnsafeBytes { try JSONParser.parse($0, of: "the report") }.object
        #expect(object?["subject"]?.object?["name"]?.string == Self.report.subject.name)
        let decode = object?["decode"]?.array?.last?.object
        #expect(decode?["rows"]?.int == 8 && decode?["tokens_per_second"]?.double == 64)
        #expect(decode?["share_of_bandwidth"]?.double == 0.4)
        #expect(object?["operations_per_second"]?.array?.first?.object?["one_thread"]?.isNull == true)
        #expect(object?["prefill"]?.array?.first?.object?["tokens_per_second"]?.double == 2048)
        #expect(object?["memory"]?.object?["rest"]?.int == 400)
        #expect(object?["mixed"]?.object?["rows"]?.array?.count == 2)
        #expect(object?["dense"]?.object?["speed_up"]?.double == 12)
        #expect(object?["overhead"]?.array?.first?.object?["share"]?.double == 0.01)
        #expect(object?["contended"]?.array?.first?.object?["share"]?.double == 0.75)
        let empty = BenchReport().json
        #expect(try empty.withUnsafeBytes { try JSONParser.parse($0, of: "it") }.object?["mixed"]?.isNull == true)
    }

    @Test func plot() throws {
        let plot = SpeedPlot(Self.report)
        #expect(plot.lines.map(\.label) == ["k = 1", "k = 2"])
        #expect(plot.lines[0].points.map(\.rows) == [1, 8])
        #expect(plot.lines[1].limits == [20, 128])
        let svg = plot.svg
        #expect(svg.contains("a &lt;b> &amp; \"c\", bf16"))
        #expect(svg.components(separatedBy: "<circle").count == 5)
        #expect(svg.components(separatedBy: "class=\"limit\"").count == 4)  // two lines and the legend
        // Rows 1 to 8 span the plot; speeds 10 to 800 span 10 to 1000.
        #expect(svg.contains("<circle cx=\"80\"") && svg.contains("<circle cx=\"640\""))
        #expect(svg.contains(">1000</text>") && !svg.contains(">2000</text>"))
        #expect(XMLCheck.isWellFormed(svg))
        #expect(XMLCheck.isWellFormed(SpeedPlot(BenchReport()).svg))
    }

    @Test func mixedBatches() {
        #expect(BenchRun.mixedBatch(chains: 4) == [4, 3, 2, 1, 1, 1, 1, 1])
        #expect(BenchRun.mixedBatch(chains: 1) == [1, 1, 1, 1, 1, 1, 1, 1])
    }

    /// As the packed formats need it, scales included; of an untied embedding only a row is read.
    @Test func weightBytesOfAStep() throws {
        let shape = "D=128,layers=1,kv=2,chains=2:2,F=128,V=320"
        let bytes = try BenchRun.tierBytes(of: ModelConfiguration(shape: shape), body: .int8, head: .bf16)
        // q, o: 64x64; gate, up, down: 64x64; k, v: 64x64 in chain 1; twice as wide in chain 2. 34 bytes for 32 weights.
        #expect(bytes == [7 * 64 * 64 * 34 / 32 + 320 * 64 * 2, 5 * 64 * 128 * 34 / 32 + 320 * 64 * 2])
        let tied = try BenchRun.tierBytes(of: ModelConfiguration(shape: shape + ",tied=true"), body: .int8, head: .bf16)
        #expect(tied == bytes)
        #expect(WeightFormat.int4.arithmetic == .int8 && WeightFormat.f16.arithmetic == .f32)
    }

    @Test func residentMemory() {
        let text = """
            55d0-7ffe ---p 00000000 00:00 0    [rollup]
            Rss:                1200 kB
            Pss:                1000 kB
            Pss_Anon:            300 kB
            Anonymous:           400 kB

            """
        let memory = ResidentMemory(smapsRollup: text)
        #expect(memory?.resident == 1200 * 1024 && memory?.anonymous == 400 * 1024)
        #expect(ResidentMemory(smapsRollup: "Rss: 12 pages") == nil)
    }

    @Test func medians() {
        #expect([3.0, 1, 2].median() == 2)
        #expect([4.0, 1, 2, 3].median() == 2.5)
    }
}

/// Whether elements open and close in pairs: what a browser insists on.
private enum XMLCheck {
    static func isWellFormed(_ text: String) -> Bool {
        var open: [Substring] = []
        for part in text.split(separator: "<").dropFirst(text.hasPrefix("<") ? 0 : 1) {
            guard let end = part.firstIndex(of: ">") else { return false }
            let tag = part[..<end]
            if tag.hasPrefix("/") {
                guard open.popLast() == tag.dropFirst() else { return false }
            } else if !tag.hasSuffix("/") {
                open.append(tag.prefix { $0 != " " })
            }
        }
        return open.isEmpty
    }
}
