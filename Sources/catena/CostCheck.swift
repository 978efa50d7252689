import Core
import Dispatch
import Engine
import Foundation
import LoadTesting
import Scheduling
import Synchronization

/// How well the cost model foretells steps: random requests of all sizes on the real engine, and for every step the time it
/// took against the time that was predicted before it ran.
final class CostCheck: StepObserver {
    private let steps = Mutex<[(predicted: Double, seconds: Double)]>([])

    func observe(_ report: StepReport) {
        guard report.predictedSeconds > 0 else { return }
        steps.withLock { $0.append((report.predictedSeconds, report.seconds)) }
    }

    /// Keeps between 1 and `crowd` requests running for so many seconds.
    func run(_ engine: InferenceEngine, seconds: Double, chains: Int, vocabulary: Int, context: Int, crowd: Int) {
        var random = SeededRandom(seed: 1)
        let end = ContinuousClock.now + .seconds(seconds)
        var running: [LastEvent] = []
        var wanted = 1
        var count = 0
        while ContinuousClock.now < end {
            running.removeAll { $0.hasEnded }
            if random.uniform() < 0.02 { wanted = random.integer(in: 1...crowd) }
            while running.count < wanted {
                let receiver = LastEvent()
                let prompt = random.integer(in: 1...min(300, context / 2))
                engine.submit(
                    GenerationRequest(
                        id: .next(),
                        prompt: (0..<prompt).map { _ in TokenID(random.integer(in: 0...vocabulary - 1)) },
                        maxTokens: random.integer(in: 1...min(64, context / 4)),
                        chains: .fixed(random.integer(in: 1...chains)),
                        sampling: SamplingParameters(temperature: 1, seed: UInt64(count))
                    ),
                    to: receiver
                )
                running.append(receiver)
                count += 1
            }
            Thread.sleep(forTimeInterval: 0.001)
        }
    }

    /// The distribution of the errors, as lines to print.
    var lines: [String] {
        let steps = steps.withLock { $0 }
        guard steps.count > 10 else { return ["too few steps to judge the cost model by"] }
        let errors = steps.map { $0.seconds / $0.predicted - 1 }.sorted()
        let sizes = errors.map(abs).sorted()
        func percent(_ value: Double) -> String { fixed(value * 100, digits: 1) + " %" }
        func quantile(_ values: [Double], _ share: Double) -> Double { values[Int(share * Double(values.count - 1))] }
        let within = Double(sizes.prefix { $0 <= 0.15 }.count) / Double(sizes.count)
        var lines = [
            "predicted against measured time of \(grouped(steps.count)) steps of mixed sizes: median error "
                + "\(percent(quantile(sizes, 0.5))), \(percent(within)) of the steps within 15 %",
            "  quantiles of (measured / predicted - 1): "
                + [0.05, 0.25, 0.5, 0.75, 0.95].map {
                    "p\(Int($0 * 100)) \(percent(quantile(errors, $0)))"
                }.joined(separator: ", "),
        ]
        let edges = [-1, -0.5, -0.3, -0.15, -0.05, 0.05, 0.15, 0.3, 0.5, 1, Double.infinity]
        for (low, high) in zip(edges, edges.dropFirst()) {
            let share = Double(errors.count { $0 >= low && $0 < high }) / Double(errors.count)
            let range = high.isFinite ? "\(percent(low)) to \(percent(high))" : "\(percent(low)) and more"
            let bar = String(repeating: "#", count: Int((share * 60).rounded()))
            lines.append(
                "  " + String(repeating: " ", count: max(0, 20 - range.count)) + range + "  " + bar
                    + " \(percent(share))"
            )
        }
        return lines
    }
}

/// Notices the end of one request.
private final class LastEvent: GenerationReceiver {
    private let ended = Atomic<Bool>(false)

    var hasEnded: Bool { ended.load(ordering: .acquiring) }

    func receive(_ events: [GenerationEvent]) {
        switch events.last {
        case .finished, .failed: ended.store(true, ordering: .releasing)
        default: break
        }
    }
}
