// Models of one KV fingerprint write the same bytes; whatever changes the bytes changes the fingerprint.

import ModelIO
import Tensor
import Testing

@testable import Model

@Suite struct KVFingerprintTests {
    private static let prompt = Array(ChainTests.prompt.prefix(50))

    /// The fingerprint, and the bytes of one prompt's keys and values.
    private func print(of model: ModelRun) -> (name: String, bytes: [[UInt8]]) {
        var sequence = model.sequence()
        _ = model.run(&sequence, Self.prompt, chains: 1, logits: .last)
        return (model.model.kvFingerprint, model.bytes(of: sequence))
    }

    /// All kernels, with plain and packed weights: names are equal exactly where they promise equal bytes.
    @Test(arguments: [WeightFormat.bf16, .int8, .int4])
    func kernelsOfOneNameWriteTheSameBytes(format: WeightFormat) throws {
        var seen: [String: [[UInt8]]] = [:]
        for kernels in Kernels.available {
            let packing = try #require(PackedFormat(rawValue: format.rawValue))
            let (name, bytes) = print(of: try PackedCheckpoint.of(packing).run(kernels: kernels.name))
            #expect(seen[name, default: bytes] == bytes, "\(kernels.name): \(name)")
            seen[name] = bytes
        }
    }

    @Test(.enabled(if: Kernels(named: "avx512bf16") != nil))
    func roundedActivationsHaveAnotherName() throws {
        let rounded = print(of: try PackedCheckpoint.bf16.run(kernels: "avx512bf16"))
        let exact = print(of: try PackedCheckpoint.bf16.run(kernels: "avx2"))
        #expect(rounded.bytes != exact.bytes)
        #expect(rounded.name != exact.name)
        // Integers do not meet the bf16 units, but what attention answers does.
        let names = try ["avx512bf16", "avx512", "avx2"].map {
            try PackedCheckpoint.int8.run(kernels: $0).model.kvFingerprint
        }
        #expect(names[0] != names[1] && names[1] == names[2])
    }

    @Test func formatsHaveNamesOfTheirOwn() throws {
        let names = try PackedFormat.allCases.map { try PackedCheckpoint.of($0).run().model.kvFingerprint }
        #expect(Set(names).count == names.count)
    }

    @Test func threadsChainsAndPlacementDoNotMatter() throws {
        let packed = PackedCheckpoint.int8
        let expected = print(of: try packed.run())
        for other in [try packed.run(workers: 1), try packed.run(chains: 1), try packed.run(weights: .map)] {
            let got = print(of: other)
            #expect(got.name == expected.name && got.bytes == expected.bytes)
        }
        // A later chain is not in it, as it is not in the keys and values.
        let changed = try PackedCheckpoint(PackedCheckpoint.original(changedChain: 3), .int8).run()
        #expect(changed.model.kvFingerprint == expected.name)
        let first = try PackedCheckpoint(PackedCheckpoint.original(changedChain: 1), .int8).run()
        #expect(first.model.kvFingerprint != expected.name)
    }

    @Test func openBLASIsNamed() throws {
        let checkpoint = try PackedCheckpoint.plain.open()
        let native = try ModelRun(checkpoint, backend: .native).model.kvFingerprint
        let openblas = try ModelRun(checkpoint, backend: .openblas).model.kvFingerprint
        #expect(native != openblas && openblas.contains("openblas"))
    }
}
