// swift-tools-version: 6.2
// Catena: an elastic LLM inference server. One target per module; a module depends on modules above it only.

import PackageDescription

// CI and `make` set CATENA_STRICT=1, so that a warning in our own code fails the build there and not for a user
// whose compiler is newer than ours.
let strict = Context.environment["CATENA_STRICT"] == "1"

let swiftSettings: [SwiftSetting] = strict ? [.treatAllWarnings(as: .error)] : []

let package = Package(
    name: "catena",
    products: [
        .executable(name: "catena", targets: ["catena"]),
        // For the micro-benchmarks in Benchmarks/.
        .library(name: "CatenaKernels", targets: ["Core", "KVCache", "Sampling", "Tensor"]),
        .library(name: "CatenaScheduling", targets: ["Core", "Scheduling"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // Calls and constants of Linux that Swift's Glibc module does not show.
        .target(name: "CShims"),
        // Words shared by all modules: tokens, chains, requests, events. No logic.
        .target(name: "Core", swiftSettings: swiftSettings),

        // Strict JSON (RFC 8259): a parser for texts from strangers, values, and a writer. Pure.
        .target(name: "JSON", swiftSettings: swiftSettings),

        // hiredis: the protocol and the sockets of Redis. Without pkg-config, whose flags for it SwiftPM does not allow.
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        // Bytes that replicas share in Redis: deadlines, circuit breaker, leases, chunks. Knows nothing of what they mean.
        .target(name: "Redis", dependencies: ["CHiredis", "CZlib", "Tensor"], swiftSettings: swiftSettings),

        // MARK: The model
        // Reads what a model folder holds: safetensors by mmap, config.json, weights by name.
        .target(name: "ModelIO", dependencies: ["JSON"], swiftSettings: swiftSettings),
        // Perl-compatible regular expressions for UTF-8 text: the tokenizer's pre-tokenizer patterns.
        .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        // Text to token ids and back, as tokenizer.json says: byte-level BPE and a streaming detokenizer.
        .target(name: "Tokenizer", dependencies: ["CPCRE2", "JSON", "ModelIO"], swiftSettings: swiftSettings),
        // The arithmetic of the forward pass in C, optimised in debug builds too.
        .target(name: "CKernels", cSettings: [.unsafeFlags(["-O3"])]),
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        // Buffers, weights, the kernels' Swift face with its scalar oracle, the worker pool.
        .target(name: "Tensor", dependencies: ["CKernels", "COpenBLAS", "CShims"], swiftSettings: swiftSettings),
        // zlib: checksums of snapshots, gzip, and compressed fixtures in tests.
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        // Blocks of keys and values: who holds which, their bytes, and snapshots of them in a folder.
        .target(name: "KVCache", dependencies: ["CZlib", "Tensor"], swiftSettings: swiftSettings),
        // The forward pass of CoLM-Air.
        .target(
            name: "Model",
            dependencies: ["Core", "ModelIO", "Tensor", "KVCache"],
            swiftSettings: swiftSettings
        ),

        // MARK: Measuring itself
        // Counters, gauges and histograms that never make anybody wait; Prometheus' text format.
        .target(name: "Metrics", dependencies: ["Core"], swiftSettings: swiftSettings),

        // MARK: The engine
        // Logits to a token: one small rule each. Pure.
        .target(name: "Sampling", dependencies: ["Core"], swiftSettings: swiftSettings),
        // Queue, admission, chain policy, step plan: a value with a clock passed in. Pure.
        .target(
            name: "Scheduling",
            dependencies: ["Core", .product(name: "DequeModule", package: "swift-collections")],
            swiftSettings: swiftSettings
        ),
        // One step after the other on a thread of its own; sessions.
        .target(
            name: "Engine",
            dependencies: ["Core", "KVCache", "Model", "Sampling", "Scheduling", "Tensor"],
            swiftSettings: swiftSettings
        ),

        // MARK: The wire
        // HTTP/1.1 as values: bytes to requests, answers to bytes. No I/O.
        .target(name: "HTTP1", swiftSettings: swiftSettings),
        // gzip as functions and values. No I/O.
        .target(name: "Compression", dependencies: ["CZlib"], swiftSettings: swiftSettings),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        // TLS by OpenSSL: ciphertext in, plaintext out, and the other way round. Knows no sockets.
        .target(name: "TLS", dependencies: ["COpenSSL"], swiftSettings: swiftSettings),
        // Sockets on Dispatch: listeners, connections, deadlines, drain.
        .target(
            name: "Net",
            dependencies: ["Compression", "CShims", "HTTP1", "TLS", .product(name: "Logging", package: "swift-log")],
            swiftSettings: swiftSettings
        ),
        // Who may do how much: keys by their hashes, limits per minute, clients behind proxies. Knows no sockets.
        .target(name: "Access", dependencies: ["COpenSSL", "HTTP1"], swiftSettings: swiftSettings),
        // Files that the server answers with as they are: the playground and the API's description, carried in the program.
        .target(
            name: "Pages",
            resources: [.embedInCode("playground.html"), .embedInCode("openapi.json")],
            swiftSettings: swiftSettings
        ),
        // The OpenAI-compatible API: routes, requests, answers, errors, server-sent events. Knows no sockets.
        .target(
            name: "API",
            dependencies: ["Access", "Core", "HTTP1", "JSON", "Metrics", "Pages", "Tokenizer"],
            swiftSettings: swiftSettings
        ),

        // MARK: Measuring
        // The machine's own limits: loops that read memory and multiply, as fast as the processor does.
        .target(name: "CLimits", cSettings: [.unsafeFlags(["-O3"])]),
        // What `catena bench` measures and what it is held against; models with random weights.
        .target(
            name: "Benchmarking",
            dependencies: [
                "CLimits", "Core", "Engine", "JSON", "KVCache", "Model", "ModelIO", "Scheduling", "Tensor",
            ],
            swiftSettings: swiftSettings
        ),
        // What `catena loadtest` and `catena simulate` offer and report: workloads, traces, outcomes, plots. Pure.
        .target(name: "LoadTesting", dependencies: ["JSON"], swiftSettings: swiftSettings),

        // Many HTTP requests at once on one thread: the client of `catena loadtest`.
        .target(name: "LoadClient", dependencies: ["CShims", "JSON", "LoadTesting"], swiftSettings: swiftSettings),

        // The server's scheduler over a workload, with the cost model as the machine: `catena simulate`. Pure.
        .target(
            name: "Simulation",
            dependencies: ["Core", "JSON", "LoadTesting", "Scheduling"],
            swiftSettings: swiftSettings
        ),

        // MARK: The program
        // Every setting with its default, documented; YAML, environment and flags.
        .target(
            name: "ServerConfig",
            dependencies: ["Access", "Core", .product(name: "Yams", package: "Yams")],
            swiftSettings: swiftSettings
        ),
        // Wiring: from configuration to a serving process, and its end.
        .target(
            name: "Server",
            dependencies: [
                "API", "Access", "Core", "Engine", "HTTP1", "JSON", "KVCache", "Metrics", "Model", "ModelIO", "Net",
                "Redis", "Scheduling", "ServerConfig", "TLS", "Tensor", "Tokenizer",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "catena",
            dependencies: [
                "Access", "Benchmarking", "CShims", "Core", "Engine", "KVCache", "LoadClient", "LoadTesting", "Model",
                "ModelIO", "Sampling", "Scheduling", "Server", "ServerConfig", "Simulation", "Tensor", "Tokenizer",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings
        ),

        // MARK: Tests
        // Seeded random numbers, a raw socket client with a timeout on every wait, the client's side of TLS, and what a
        // parser says about some input; names for requests.
        .target(
            name: "TestSupport",
            dependencies: ["COpenSSL", "Core", "HTTP1"],
            path: "Tests/TestSupport",
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "JSONTests", dependencies: ["JSON", "TestSupport"], swiftSettings: swiftSettings),
        .testTarget(name: "ModelIOTests", dependencies: ["ModelIO", "TestSupport"], swiftSettings: swiftSettings),
        .testTarget(
            name: "TokenizerTests",
            dependencies: ["CZlib", "JSON", "ModelIO", "Tokenizer", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "TensorTests", dependencies: ["Tensor", "CKernels", "CShims"], swiftSettings: swiftSettings),
        .testTarget(
            name: "KVCacheTests",
            dependencies: ["KVCache", "Tensor", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ModelTests",
            dependencies: ["Model", "ModelIO", "KVCache", "Tensor", "Core"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "SamplingTests",
            dependencies: ["Sampling", "Core", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "SchedulingTests",
            dependencies: ["Scheduling", "Core", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "SimulationTests",
            dependencies: ["Simulation", "LoadTesting", "Scheduling", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "EngineTests",
            dependencies: [
                "Engine", "Core", "KVCache", "Model", "ModelIO", "Scheduling", "Tensor", "TestSupport",
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "HTTP1Tests", dependencies: ["HTTP1", "TestSupport"], swiftSettings: swiftSettings),
        .testTarget(
            name: "BenchmarkingTests",
            dependencies: ["Benchmarking", "CLimits", "JSON", "ModelIO", "Tensor", "Tokenizer"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "LoadTestingTests",
            dependencies: ["JSON", "LoadTesting"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "LoadClientTests",
            dependencies: ["JSON", "LoadClient", "LoadTesting"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "AccessTests",
            dependencies: ["Access", "HTTP1", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "APITests",
            dependencies: ["API", "Access", "Core", "HTTP1", "JSON", "Metrics", "Pages", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "PagesTests", dependencies: ["COpenSSL", "Pages"], swiftSettings: swiftSettings),
        .testTarget(name: "MetricsTests", dependencies: ["Core", "Metrics"], swiftSettings: swiftSettings),
        .testTarget(
            name: "ServerConfigTests",
            dependencies: ["ServerConfig", "Core"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "CompressionTests",
            dependencies: ["Compression", "CZlib", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "ServerTests", dependencies: ["Metrics", "Server"], swiftSettings: swiftSettings),
        .testTarget(
            name: "RedisTests",
            dependencies: ["Redis", "Tensor", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "TLSTests", dependencies: ["TLS", "TestSupport"], swiftSettings: swiftSettings),
        .testTarget(
            name: "NetTests",
            dependencies: ["Compression", "HTTP1", "Net", "TLS", "TestSupport"],
            swiftSettings: swiftSettings
        ),
    ],
    swiftLanguageModes: [.v6]
)

// MARK: Fuzzing
// Built by `make fuzz` only: they need libFuzzer, and every module instrumented for it.
if Context.environment["CATENA_FUZZ"] == "1" {
    func fuzzTarget(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
        .executableTarget(
            name: name,
            dependencies: ["Fuzzing"] + dependencies,
            path: "Tests/Fuzz/\(name)",
            swiftSettings: swiftSettings
        )
    }
    package.targets += [
        .target(name: "CFuzzer", path: "Tests/Fuzz/CFuzzer"),
        .target(name: "Fuzzing", dependencies: ["CFuzzer"], path: "Tests/Fuzz/Fuzzing", swiftSettings: swiftSettings),
        fuzzTarget("FuzzRequests", ["HTTP1", "TestSupport"]),
        fuzzTarget("FuzzChunks", ["HTTP1"]),
        fuzzTarget("FuzzGzip", ["Compression"]),
        fuzzTarget("FuzzJSON", ["JSON"]),
        fuzzTarget("FuzzCompletions", ["API", "Core"]),
        fuzzTarget("FuzzSafetensors", ["ModelIO"]),
        fuzzTarget("FuzzSnapshot", ["KVCache", "Tensor"]),
        fuzzTarget("FuzzTokenizerFile", ["ModelIO", "Tokenizer"]),
        fuzzTarget("FuzzEncode", ["Tokenizer"]),
        fuzzTarget("FuzzConfiguration", ["ServerConfig"]),
    ]
}
