// swift-tools-version: 6.2
// Catena: an elastic LLM inference server. One target per module of docs/architecture; arrows point down the list.

import PackageDescription

// CI and `make` set CATENA_STRICT=1, so that a warning in our own code fails the build there and not for a user
// whose compiler is newer than ours.
let strict = Context.environment["CATENA_STRICT"] == "1"

let swiftSettings: [SwiftSetting] = strict ? [.treatAllWarnings(as: .error)] : []

let package = Package(
    name: "catena",
    products: [],
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        // Words shared by all modules: tokens, chains, requests, events. No logic.
        .target(name: "Core", swiftSettings: swiftSettings),
        // The configuration: the struct is its documentation; YAML, environment and flags fill it.
        .target(
            name: "ServerConfig",
            dependencies: ["Core", .product(name: "Yams", package: "Yams")],
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "ServerConfigTests", dependencies: ["Core", "ServerConfig"], swiftSettings: swiftSettings),
        // Calls and constants of Linux that Swift's Glibc module does not show.
        .target(name: "CShims"),
        // HTTP/1.1 as values: bytes to requests, answers to bytes. No I/O.
        .target(name: "HTTP1", swiftSettings: swiftSettings),
        .testTarget(name: "HTTP1Tests", dependencies: ["HTTP1"], swiftSettings: swiftSettings),
        // The OpenAI-compatible API: routes, requests, answers, errors, server-sent events. Knows no sockets.
        .target(name: "API", dependencies: ["Core", "HTTP1"], swiftSettings: swiftSettings),
        .testTarget(name: "APITests", dependencies: ["API", "Core", "HTTP1"], swiftSettings: swiftSettings),
        // Sockets on Dispatch: listeners, connections, deadlines, drain.
        .target(
            name: "Net",
            dependencies: ["CShims", "HTTP1", .product(name: "Logging", package: "swift-log")],
            swiftSettings: swiftSettings
        ),
        // A raw socket client for tests, with a timeout on every wait.
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: swiftSettings),
        .testTarget(name: "NetTests", dependencies: ["HTTP1", "Net", "TestSupport"], swiftSettings: swiftSettings),
    ],
    swiftLanguageModes: [.v6]
)
