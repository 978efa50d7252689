// What a packed checkpoint's folder holds, and that it is made whole or not at all. The numbers are packed in ModelTests.

import Foundation
import ModelIO
import Testing

@Suite struct PackedCheckpointTests {
    /// Panels that tell their format, their matrix and their place.
    static let pack: PackedCheckpointWriter.Pack = { matrix, format, panels in
        for index in panels.indices {
            panels[index] = UInt8(truncatingIfNeeded: index &+ matrix.shape[1] &+ format.rawValue.utf8.count)
        }
    }

    /// Packs the checkpoint in `source` into `source`/out and returns its path.
    @discardableResult
    static func packed(_ source: TemporaryFolder, _ target: Quantization, to output: String = "out") throws -> String {
        let output = source.path(output)
        try PackedCheckpointWriter(Checkpoint(folder: source.path), as: target, output: output).write(pack: pack)
        return output
    }

    @Test(arguments: PackedFormat.allCases)
    func theCopyHoldsEverything(format: PackedFormat) throws {
        let folder = try TemporaryFolder()
        try SmallCheckpoint.packable.write(to: folder)
        for name in ["tokenizer.json", "generation_config.json", "merges.txt", "LICENSE", "README.md", "curves.png"] {
            try folder.write(name, "this is \(name)")
        }
        let target = Quantization(target: format)
        #expect(throws: ModelFileError.self) {
            let checkpoint = try Checkpoint(folder: folder.path)
            let writer = try PackedCheckpointWriter(checkpoint, as: Quantization(target: .int8), output: path)
            try writer.write { _, _, _ in
                try? FileManager.default.createDirectory(atPath: path + "/theirs", withIntermediateDirectories: true)
            }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["theirs"])
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == (before + ["out"]).sorted()
        )
    }

    // MARK: Refusals

    private func refusal(
        _ target: PackedFormat,
        _ small: SmallCheckpoint = .packable,
        output: String = "out",
        _ prepare: (TemporaryFolder) throws -> Void = { _ in }
    ) throws -> String {
        let folder = try TemporaryFolder()
        try small.write(to: folder)
        try prepare(folder)
        let error = try #require(throws: ModelFileError.self) {
            try Self.packed(folder, Quantization(target: target), to: output)
        }
        return error.description.replacing(folder.path, with: "MODEL")
    }

    @Test func widthsThatAreNoGroups() throws {
        let end = "; expected a multiple of 32, the inputs that share a scale in int8; bf16 takes any number"
        #expect(try refusal(.int8, SmallCheckpoint()) == "MODEL/config.json: chains: chain 1 has 8 hidden values" + end)
        var small = SmallCheckpoint.packable
        small.members["intermediate_size"] = "320"
        #expect(
            try refusal(.int4, small)
                == "MODEL/config.json: chains: chain 1 has 80 feed-forward values"
                + end.replacing("int8", with: "int4")
        )
        let folder = try TemporaryFolder()
        try SmallCheckpoint().write(to: folder)
        let copy = try Checkpoint(folder: Self.packed(folder, Quantization(target: .bf16)))
        #expect(try copy.weight(.down(layer: 1, chain: 3)).shape == [1, 24 * 64])
    }

    @Test func packedTwice() throws {
        let folder = try TemporaryFolder()
        try SmallCheckpoint.packable.write(to: folder)
        let once = try Checkpoint(folder: Self.packed(folder, Quantization(target: .int4)))
        let error = try #require(throws: ModelFileError.self) {
            try PackedCheckpointWriter(once, as: Quantization(target: .int8), output: folder.path("twice")).write(
                pack: Self.pack
            )
        }
        #expect(
            error.description.hasSuffix(
                "out: is packed already, as int4; expected the original model: quantising what "
                    + "was rounded once rounds it twice"
            )
        )
    }

    @Test func outputsThatAreTaken() throws {
        let taken = try refusal(.int8) {
            try FileManager.default.createDirectory(atPath: $0.path("out/a"), withIntermediateDirectories: true)
        }
        #expect(taken == "MODEL/out: is there already, and not empty; expected a new folder, or an empty one")
        #expect(try refusal(.int8, output: "config.json") == "MODEL/config.json: cannot list: Not a directory")
        #expect(
            try refusal(.int8, output: "no/where")
                == "MODEL/no/where: cannot create a folder beside it: No such file or directory"
        )
        let folder = try TemporaryFolder()
        try SmallCheckpoint.packable.write(to: folder)
        try FileManager.default.createDirectory(atPath: folder.path("out"), withIntermediateDirectories: true)
        _ = try Checkpoint(folder: Self.packed(folder, Quantization(target: .int8)))
    }
}
