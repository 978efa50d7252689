// The kernels one by one, each on one thread, with the sizes of shape M (D = 1024, F = 2816, V = 16384, heads of 64).

import Benchmark
import Core
import Sampling
import Tensor

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .throughput],
        warmupIterations: 3,
        scalingFactor: .one,
        maxDuration: .milliseconds(300),
        maxIterations: 100_000
    )

    for format in WeightFormat.allCases {
        for rows in [1, 8, 64] {
            Benchmark("linear \(format.rawValue), 2816 x 1024, rows: \(rows)") { benchmark in
                let product = Product(format: format, outputs: 2816, inputs: 1024, rows: rows)
                benchmark.startMeasurement()
                for _ in benchmark.scaledIterations { product.run() }
            }
        }
    }

    for rows in [1, 16] {
        Benchmark("attention, context 512, 4 heads of 64, rows: \(rows)") { benchmark in
            let attention = PagedAttention(rows: rows, heads: 4, headSize: 64, context: 512)
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations { attention.run() }
        }
    }

    Benchmark("norm, 1024, rows: 8") { benchmark in
        let norm = Norm(rows: 8)
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { norm.run() }
    }

    Benchmark("rope, 16 heads of 64") { benchmark in
        let rotation = Rotation()
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations { rotation.run() }
    }

    for (name, parameters) in [
        ("greedy", SamplingParameters(temperature: 0, seed: 1)),
        ("top-k 40", SamplingParameters(temperature: 0.8, topK: 40, seed: 1)),
        ("top-p 0.95", SamplingParameters(temperature: 0.8, topP: 0.95, seed: 1)),
    ] {
        Benchmark("sampling, \(name), of 16384") { benchmark in
            let draw = Draw(parameters)
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations { blackHole(draw.run()) }
        }
    }
}
