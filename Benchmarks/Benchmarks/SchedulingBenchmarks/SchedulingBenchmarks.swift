// One decision of the scheduler. The server makes one for every step, and the target is 100 microseconds.

import Benchmark
import Core
import Scheduling

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .throughput],
        warmupIterations: 3,
        scalingFactor: .one,
        maxDuration: .milliseconds(500),
        maxIterations: 100_000
    )

    for (running, waiting) in [(8, 0), (64, 0), (64, 64)] {
        Benchmark("schedule, \(running) running, \(waiting) waiting") { benchmark in
            var desk = BusyDesk(running: running, waiting: waiting)
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations { blackHole(desk.decide()) }
        }
    }

    Benchmark("schedule, advance and append, 64 running, 64 waiting") { benchmark in
        var desk = BusyDesk(running: 64, waiting: 64)
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { desk.step() }
    }
}
