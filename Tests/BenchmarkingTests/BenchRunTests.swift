import Benchmarking
import Foundation
import ModelIO
import Testing

@Suite struct BenchRunTests {
    /// Every part of a run, on a model so small that the figures mean nothing.
    @Test func measuresEverything() throws {
        let folder = NSTemporaryDirectory() + "catena-benchrun-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let configuration = try ModelConfiguration(shape: "D=64,layers=2,kv=2,chains=2:2:4,F=64,V=300,context=64")
        try RandomModel(configuration, dtype: .bf16, seed: 1).write(to: folder + "/model")
        try RandomModel(configuration.dense(), dtype: .bf16, seed: 1).write(to: folder + "/dense")

        var plan = BenchPlan()
        plan.prompts = [5, 40]
        plan.prompt = 20
        plan.rows = [1, 3]
        plan.context = 17
        plan.stepTokens = 16
        plan.threads = 2
        plan.secondsPerFigure = 0
        plan.engineTokens = 6
        plan.bufferBytes = 4 << 20
        plan.isContended = true
        var steps: [String] = []
        var run = BenchRun(try Checkpoint(folder: folder + "/model"), name: "tiny", plan: plan) { steps.append($0) }
        let report = try run.measure(dense: { _ in try Checkpoint(folder: folder + "/dense") })

        #expect(report.subject.name == "tiny" && report.subject.dtype == "bf16" && report.subject.threads == 2)
        #expect(report.subject.chains == [2, 2, 4] && report.subject.parameters.count == 3)
        #expect(report.bandwidths.count == 3 && report.bandwidths.allSatisfy { ($0.allThreads ?? 0) > 0 })
        #expect(report.peaks.count == 3)
        #expect(report.prefill.map(\.tokens) == [5, 40] && report.prefill.allSatisfy { $0.shareOfPeak > 0 })
        #expect(report.firstToken.map(\.chains) == [1, 2, 3])
        #expect(report.decode.map(\.rows) == [1, 3, 1, 3, 1, 3] && report.decode.map(\.chains) == [1, 1, 2, 2, 3, 3])
        #expect(report.decode.allSatisfy { $0.seconds > 0 && $0.bandwidth > 0 && $0.shareOfClosedForm > 0 })
        #expect(report.mixed?.rows == [3, 2, 1, 1, 1, 1, 1, 1])
        #expect((report.dense?.speedUp ?? 0) > 0)
        #expect(report.overhead.map(\.chains) == [1, 2, 3])
        #expect(report.overhead.allSatisfy { $0.outsideSeconds > 0 && $0.share < 1 })
        #expect((report.memory?.resident ?? 0) > 0)
        #expect(report.contended.count == 4 && report.contended.allSatisfy { $0.share > 0 })
        #expect(report.disturbance != nil)
        #expect(steps.count > 10)
    }
}
