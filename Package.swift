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
    dependencies: [],
    targets: [
        // Perl-compatible regular expressions for UTF-8 text: the tokenizer's pre-tokenizer patterns.
        .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        // zlib: gzip in and out.
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        // Reads what a model folder holds: safetensors by mmap, config.json, weights by name.
        .target(name: "ModelIO", swiftSettings: swiftSettings),
        // Text to token ids and back, as tokenizer.json says: byte-level BPE and a streaming detokenizer.
        .target(name: "Tokenizer", dependencies: ["CPCRE2", "ModelIO"], swiftSettings: swiftSettings),
        .testTarget(name: "ModelIOTests", dependencies: ["ModelIO"], swiftSettings: swiftSettings),
        .testTarget(name: "TokenizerTests", dependencies: ["CZlib", "ModelIO", "Tokenizer"], swiftSettings: swiftSettings),
    ],
    swiftLanguageModes: [.v6]
)
