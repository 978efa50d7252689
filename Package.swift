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
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2")
    ],
    targets: [
        // Words shared by all modules: tokens, chains, requests, events. No logic.
        .target(name: "Core", swiftSettings: swiftSettings),
        // The configuration: the struct is its documentation; YAML, environment and flags fill it.
        .target(
            name: "ServerConfig",
            dependencies: [.product(name: "Yams", package: "Yams")],
            swiftSettings: swiftSettings
        ),
        // The OpenAI-compatible API: routes, requests, answers, errors, server-sent events. Knows no sockets.
        .target(name: "API", dependencies: ["Core", "HTTP1"], swiftSettings: swiftSettings),
        .testTarget(name: "APITests", dependencies: ["API", "Core", "HTTP1"], swiftSettings: swiftSettings),
        .testTarget(
            name: "ServerConfigTests",
            dependencies: ["ServerConfig"],
            swiftSettings: swiftSettings
        ),
    ],
    swiftLanguageModes: [.v6]
)
