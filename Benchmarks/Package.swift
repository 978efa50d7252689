// swift-tools-version: 6.1
// Micro-benchmarks of the kernels and of the scheduler. A package of its own, so that what it needs stays out of the server's build.

import PackageDescription

let package = Package(
    name: "catena-benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "catena", path: ".."),
        // Without traits: counting allocations would need jemalloc, and the kernels allocate nothing.
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "KernelBenchmarks",
            dependencies: [
                .product(name: "Benchmark", package: "benchmark"),
                .product(name: "CatenaKernels", package: "catena"),
            ],
            path: "Benchmarks/KernelBenchmarks",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
        ),
        .executableTarget(
            name: "SchedulingBenchmarks",
            dependencies: [
                .product(name: "Benchmark", package: "benchmark"),
                .product(name: "CatenaScheduling", package: "catena"),
            ],
            path: "Benchmarks/SchedulingBenchmarks",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
        ),
    ],
    swiftLanguageModes: [.v6]
)
