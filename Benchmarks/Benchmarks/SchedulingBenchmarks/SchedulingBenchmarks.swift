// One decision of the scheduler, which the server makes for every step: the target is 100 microseconds. And the judgement of a
// request with a budget, once when it arrives.

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

    for (running, waiting) in [(8, 0), (64, 64)] {
        Benchmark("judge a newcomer, \(running) running, \(waiting) waiting") { benchmark in
            var desk = BusyDesk(running: running, waiting: waiting)
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations { desk.welcome() }
        }
    }

    Benchmark("schedule, advance and append, 64 running, 64 waiting") { benchmark in
        var desk = BusyDesk(running: 64, waiting: 64)
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { desk.step() }
    }
}
