import Engine
import Metrics
import Synchronization

/// Writes what every step reports into the metrics.
final class StepMetrics: StepObserver {
    private let metrics: EngineMetrics
    /// Evictions that were counted already.
    private let evictions = Atomic<Int>(0)

    init(_ metrics: EngineMetrics) {
        self.metrics = metrics
    }

    func observeCancel(afterSteps steps: Int) {
        metrics.countCancel(afterSteps: steps)
    }

    func observe(_ report: StepReport) {
        metrics.running.set(report.running)
        metrics.waiting.set(report.waiting)
        metrics.preemptions.add(report.preemptions)
        for seconds in report.queueSeconds { metrics.queueTime.record(.seconds(seconds)) }
        // A step that computed nothing only looked.
        if report.seconds > 0 {
            metrics.stepTime.record(.seconds(report.seconds))
            metrics.planTime.record(.seconds(report.planSeconds))
        }
        metrics.prefillComputed.add(max(0, report.promptTokens - report.cachedTokens))
        metrics.prefillCached.add(report.cachedTokens)
        metrics.prefillRecomputed.add(report.recomputedTokens)
        metrics.blocksUsed.set(report.usedBlocks)
        metrics.blocksCached.set(report.cachedBlocks)
        let new = report.evictions - evictions.exchange(report.evictions, ordering: .relaxed)
        metrics.blocksEvicted.add(max(0, new))
        metrics.sessionsInMemory.set(report.sessions)
    }
}
