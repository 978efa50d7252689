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
        return nil
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
        let writer = try PackedCheckpointWriter(
            Checkpoint(folder: folder.path),
            as: target,
            output: folder.path("out/")
        )
        let expected = writer.byteCount
        var steps: [Int] = []
        try writer.write(pack: Self.pack) { steps.append($0) }

        let original = try Checkpoint(folder: folder.path)
        let copy = try Checkpoint(folder: folder.path("out"))
        #expect(copy.configuration.quantization == target)
        #expect(copy.configuration.parameterCount(chains: 3) == original.configuration.parameterCount(chains: 3))
        #expect(copy.byteCount == expected && steps.last == expected && steps == steps.sorted())
        for chain in 1...3 {
            for name in TensorName.all(ofChain: chain, in: copy.configuration) {
                let (tensor, source) = (try copy.weight(name), try original.weight(name))
                guard let format = name.packing(in: copy.configuration) else {
                    #expect(tensor.dtype == source.dtype && tensor.floats() == source.floats())
                    continue
                }
                #expect(tensor.dtype == .u8)
                #expect(tensor.shape == format.shape(outputs: source.shape[0], inputs: source.shape[1]))
                #expect(UInt(bitPattern: tensor.pointer) % 64 == 0, "\(name) begins on a cache line")
                let panels = UnsafeMutableRawBufferPointer.allocate(byteCount: tensor.byteCount, alignment: 64)
                defer { panels.deallocate() }
                #expect(Self.pack(source, format, panels) == nil)
                #expect(tensor.bytes.elementsEqual(panels), "\(name)")
            }
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path("out")).sorted()
        #expect(
            names == [
                "LICENSE", "chain-1-of-3.safetensors", "chain-2-of-3.safetensors", "chain-3-of-3.safetensors",
                "config.json", "generation_config.json", "merges.txt", "model.safetensors.index.json", "tokenizer.json",
            ]
        )
        let license = try String(contentsOfFile: folder.path("out/LICENSE"), encoding: .utf8)
        #expect(license == "this is LICENSE")
    }

    /// Shapes as the format page gives them: 11 outputs are one panel, of 32 inputs in one group.
    @Test(arguments: [(PackedFormat.bf16, 2048, 4096), (.int8, 1088, 2176), (.int4, 576, 1152)])
    func shapesOfPanels(format: PackedFormat, bytes32: Int, bytes64: Int) {
        #expect(format.shape(outputs: 11, inputs: 32) == [1, bytes32])
        #expect(format.shape(outputs: 32, inputs: 64) == [1, bytes64])
        #expect(format.shape(outputs: 33, inputs: 64) == [2, bytes64])
    }

    @Test func whatQuantizeChooses() {
        #expect(Quantization(target: .int4) == Quantization(format: .int4, headFormat: .int8))
        #expect(Quantization(target: .int8) == Quantization(format: .int8, headFormat: .int8))
        #expect(Quantization(target: .bf16) == Quantization(format: .bf16, headFormat: .bf16))
    }

    /// Keys and values differ from format to format, so a cache of one is none of another.
    @Test func fingerprintsDiffer() throws {
        let folder = try TemporaryFolder()
        try SmallCheckpoint.packable.write(to: folder)
        var fingerprints = [try Checkpoint(folder: folder.path).fingerprint]
        for format in PackedFormat.allCases {
            let path = try Self.packed(folder, Quantization(target: format), to: "\(format)")
            let fingerprint = try Checkpoint(folder: path).fingerprint
            #expect(try Checkpoint(folder: path, chains: 1).fingerprint == fingerprint)
            fingerprints.append(fingerprint)
        }
        #expect(Set(fingerprints).count == 4)
    }

    // MARK: Whole or not at all

    @Test func nothingIsThereBeforeItIsComplete() throws {
        let folder = try TemporaryFolder()
        try SmallCheckpoint.packable.write(to: folder)
        let path = folder.path
        let writer = try PackedCheckpointWriter(
            Checkpoint(folder: path),
            as: Quantization(target: .int8),
            output: path + "/out"
        )
        try writer.write { _, _, _ in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
            let partial = names.filter { $0.hasPrefix("out.partial-") }
            #expect(!names.contains("out") && partial.count == 1)
            #expect(throws: ModelFileError.self, "what is half made is no model") {
                try Checkpoint(folder: path + "/" + partial[0], chains: 1)
            }
            return nil
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: path)
        #expect(names.contains("out") && !names.contains { $0.contains("partial") })
    }

    @Test func whatIsNotWrittenLeavesNothing() throws {
        let folder = try TemporaryFolder()
        try SmallCheckpoint.packable.write(to: folder)
        let before = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        do {
            let checkpoint = try Checkpoint(folder: folder.path)
            _ = try PackedCheckpointWriter(checkpoint, as: Quantization(target: .int8), output: folder.path("out"))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == before)
        // Somebody else makes the folder while it is being written.
        let path = folder.path("out")
        #expect(throws: ModelFileError.self) {
            let checkpoint = try Checkpoint(folder: folder.path)
            let writer = try PackedCheckpointWriter(checkpoint, as: Quantization(target: .int8), output: path)
            try writer.write { _, _, _ in
                try? FileManager.default.createDirectory(atPath: path + "/theirs", withIntermediateDirectories: true)
                return nil
            }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["theirs"])
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == (before + ["out"]).sorted()
        )
    }

    /// An empty folder stays the one it is: it may be a mount point, or have an owner and permissions of its own.
    @Test func anEmptyFolderIsFilledInPlace() throws {
        let folder = try TemporaryFolder()
        try SmallCheckpoint.packable.write(to: folder)
        let out = folder.path("out")
        try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: false)
        func inode() throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: out)[.systemFileNumber] as? Int
        }
        let before = try inode()
        try Self.packed(folder, Quantization(target: .int8))
        #expect(try inode() == before)
        #expect(try Checkpoint(folder: out).configuration.quantization == Quantization(target: .int8))
        #expect(try FileManager.default.contentsOfDirectory(atPath: out).allSatisfy { !$0.contains("partial") })
    }

    // MARK: Refusals

    @Test func aWeightThatTheFormatDoesNotHoldIsNamed() throws {
        let folder = try TemporaryFolder()
        try SmallCheckpoint.packable.write(to: folder)
        do {
            let writer = try PackedCheckpointWriter(
                Checkpoint(folder: folder.path),
                as: Quantization(target: .int8),
                output: folder.path("out")
            )
            try writer.write { matrix, _, _ in matrix.name.contains("gate_proj") ? matrix.shape[1] + 2 : nil }
            Issue.record("not refused")
        } catch {
            #expect(error.item?.contains("gate_proj") == true && error.description.contains("at [1, 2]"), "\(error)")
        }
        #expect(!FileManager.default.fileExists(atPath: folder.path("out")))
    }

    @Test(arguments: [DType.f32, .f16, .bf16])
    func elementsBeyondALimitAreFound(dtype: DType) throws {
        var writer = SafetensorsWriter()
        for (name, value) in [("nan", Float.nan), ("inf", -.infinity), ("large", 60_000), ("small", -1)] {
            writer.add(name, dtype: dtype, shape: [2, 3], floats: [0, -1, 2, value, .nan, value])
        }
        let folder = try TemporaryFolder()
        try writer.write(to: folder.path("t.safetensors"))
        let file = try SafetensorsFile(path: folder.path("t.safetensors"))
        let found = ["nan": 3, "inf": 3, "large": 3, "small": 4]
        for (name, place) in found {
            let tensor = try #require(file[name])
            #expect(tensor.firstElement(beyond: 50_000, in: 0..<6) == place)
            #expect(tensor.firstElement(beyond: 50_000, in: 0..<3) == nil)
            #expect(tensor.firstElement(beyond: 50_000, in: 4..<6) == 4)
        }
    }

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
