import Foundation
import ModelIO
import Testing

@Suite struct SafetensorsTests {
    /// Bytes as the `safetensors` package of PyPI 0.5 writes them: `save_file({"b": f32 [2], "a": bf16 [2,1]}, metadata)`.
    @Test func readsAForeignFile() throws {
        let header =
            #"{"__metadata__":{"format":"pt","note":"a\"\u00e9\ud83d\ude00"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#
            + #""a":{"dtype":"BF16","shape":[2,1],"data_offsets":[8,12]}}  "#
        let bytes =
            withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init) + Array(header.utf8)
            + [0, 0, 128, 63, 0, 0, 0, 192] + [0x80, 0x3F, 0x49, 0xC0]
        let folder = try TemporaryFolder()
        let file = try SafetensorsFile(path: folder.write("foreign.safetensors", bytes))
        #expect(file.metadata == ["format": "pt", "note": "a\"é😀"])
        #expect(file.tensors.map(\.name) == ["b", "a"])
        #expect(file["b"]?.floats() == [1, -2])
        #expect(file["a"]?.floats() == [1, -3.140625])
        #expect(file["a"]?.shape == [2, 1])
        #expect(file["c"] == nil)
        #expect(file.byteCount == bytes.count)
    }

    @Test func writesWhatItReads() throws {
        var writer = SafetensorsWriter()
        writer.metadata = ["quote\"\\\n": "é😀\u{1}"]
        let halves: [Float] = [0, -0.0, 1, -2.5, 65504, 6e-8, .infinity]
        writer.add("half", dtype: .f16, shape: [7], floats: halves)
        writer.add("brain", dtype: .bf16, shape: [7], floats: [0, -0.0, 1, -2.5, 3e38, 1e-38, .infinity])
        writer.add("single", shape: [1, 2], floats: [.leastNonzeroMagnitude, .pi])
        writer.add("odd", dtype: .u8, shape: [3], bytes: [1, 2, 255])
        writer.add("empty", dtype: .i64, shape: [4, 0], bytes: [])
        writer.add("scalar", dtype: .i32, shape: [], bytes: [7, 0, 0, 0])
        let folder = try TemporaryFolder()
        let path = folder.path("mine.safetensors")
        try writer.write(to: path)
        #expect(try Array(Data(contentsOf: URL(fileURLWithPath: path))) == writer.serialized())
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["mine.safetensors"])
        let file = try SafetensorsFile(path: path)
        #expect(file.metadata == writer.metadata)
        #expect(file.tensors.map(\.name) == ["empty", "scalar", "single", "brain", "half", "odd"])
        #expect(file.tensors.filter { !$0.isAligned }.isEmpty)
        #expect(file["half"]?.floats() == [0, -0.0, 1, -2.5, 65504, 5.9604645e-08, .infinity])
        #expect(file["brain"]?.floats().prefix(4) == [0, -0.0, 1, -2.5])
        #expect(file["single"]?.elements(as: Float.self).map(Array.init) == [.leastNonzeroMagnitude, .pi])
        #expect(file["single"]?.elements(as: UInt16.self) == nil)
        #expect(file["odd"].map { Array($0.bytes) } == [1, 2, 255])
        #expect(file["empty"]?.byteCount == 0 && file["empty"]?.shape == [4, 0])
        #expect(file["scalar"]?.elements(as: Int32.self).map(Array.init) == [7])
    }

    /// Tensors made by closures give the same file as the same bytes given at once, and only when it is written.
    @Test func writesTensorsOneByOne() throws {
        var whole = SafetensorsWriter()
        var streamed = SafetensorsWriter()
        for (name, dtype, shape) in [("b", .f32, [3, 5]), ("a", .u8, [7]), ("c", .bf16, [2, 0])]
            as [(String, DType, [Int])]
        {
            let bytes = (0..<shape.reduce(dtype.byteCount, *)).map { UInt8($0 * 3 + 1) }
            whole.add(name, dtype: dtype, shape: shape, bytes: bytes)
            streamed.add(name, dtype: dtype, shape: shape) { $0.copyBytes(from: bytes) }
        }
        // A closure that writes nothing leaves zeros, whatever was in the buffer before.
        whole.add("z", dtype: .i8, shape: [4], bytes: [0, 0, 0, 0])
        streamed.add("z", dtype: .i8, shape: [4]) { _ in }
        #expect(streamed.byteCount == 60 + 7 + 4)
        #expect(try streamed.serialized() == whole.serialized())

        let folder = try TemporaryFolder()
        var steps: [Int] = []
        try streamed.write(to: folder.path("s.safetensors")) { steps.append($0) }
        #expect(steps == [60, 60, 67, 71])
        #expect(try Array(Data(contentsOf: URL(fileURLWithPath: folder.path("s.safetensors")))) == whole.serialized())
        let file = try SafetensorsFile(path: folder.path("s.safetensors"))
        // The first tensor begins on a cache line of the page-aligned mapping.
        #expect(file.tensors.first.map { UInt(bitPattern: $0.pointer) % 64 } == 0)
    }

    /// What a closure throws ends the writing, and leaves neither the file nor its neighbour.
    @Test func aTensorThatCannotBeMade() throws {
        let folder = try TemporaryFolder()
        var writer = SafetensorsWriter()
        writer.add("w", dtype: .u8, shape: [1]) { _ throws(ModelFileError) in
            throw ModelFileError(.malformed, file: "source", problem: "ends too early")
        }
        let error = try #require(throws: ModelFileError.self) { try writer.write(to: folder.path("w")) }
        #expect(error.description == "source: ends too early")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    /// bf16 rounds to nearest, ties to even, and keeps NaN a NaN.
    @Test(
        arguments: [
            (0x3F80_8000, 0x3F80), (0x3F80_8001, 0x3F81), (0x3F81_8000, 0x3F82), (0x7F7F_FFFF, 0x7F80),
            (0x7F80_0001, 0x7FC0),
            (0xFFFF_FFFF, 0xFFFF), (0x8000_0000, 0x8000),
        ] as [(UInt32, UInt16)]
    )
    func bfloat16Rounding(single: UInt32, brain: UInt16) throws {
        var writer = SafetensorsWriter()
        writer.add("w", dtype: .bf16, shape: [1], floats: [Float(bitPattern: single)])
        #expect(try writer.serialized().suffix(2) == [UInt8(brain & 0xFF), UInt8(brain >> 8)])
    }

    /// A header of odd length puts the floats on odd addresses: readable by copy, and never handed out in place.
    @Test func unalignedTensorsAreCopied() throws {
        let entry = #"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
        let folder = try TemporaryFolder()
        for padding in 0..<8 {
            let header = entry + String(repeating: " ", count: padding)
            let bytes =
                withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init) + Array(header.utf8)
                + [0, 0, 128, 63, 0, 0, 0, 192]
            let file = try SafetensorsFile(path: folder.write("padded.safetensors", bytes))
            let weight = try #require(file["w"])
            let aligned = (8 + header.utf8.count) % 4 == 0
            #expect(weight.isAligned == aligned)
            #expect((weight.elements(as: Float.self) != nil) == aligned)
            #expect(weight.floats() == [1, -2])
        }
    }

    /// A view keeps its file mapped after the file object is gone.
    @Test func viewsOutliveTheFile() throws {
        let folder = try TemporaryFolder()
        var writer = SafetensorsWriter()
        writer.add("w", shape: [3], floats: [1, 2, 3])
        try writer.write(to: folder.path("short-lived.safetensors"))
        var file: SafetensorsFile? = try SafetensorsFile(path: folder.path("short-lived.safetensors"))
        let weight = try #require(file?["w"])
        weak let gone = file
        file = nil
        #expect(gone == nil)
        #expect(weight.floats() == [1, 2, 3])
    }

    @Test func aFolderThatCannotBeWritten() throws {
        let folder = try TemporaryFolder()
        let error = try #require(throws: ModelFileError.self) { try SafetensorsWriter().write(to: folder.path("no/w")) }
        #expect(error.description == "\(folder.path("no/w")): cannot create: No such file or directory")
    }
}
