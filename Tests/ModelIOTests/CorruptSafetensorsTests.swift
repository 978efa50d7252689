import Foundation
import ModelIO
import TestSupport
import Testing

@Suite struct CorruptSafetensorsTests {
    /// A header and the number of bytes after it, and what the error must say: the tensor and what was expected.
    struct Corrupt: Sendable, CustomTestStringConvertible {
        var header: String
        var bufferCount: Int
        var says: [String]
        var testDescription: String { header }
    }

    static func one(_ entry: String, _ count: Int, _ says: String...) -> Corrupt {
        Corrupt(header: "{\"w\":\(entry)}", bufferCount: count, says: says)
    }

    static let corrupt: [Corrupt] = [
        one(#"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#, 7, "\"w\"", "begin <= end <= 7"),
        one(#"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#, 9, "end at byte", "cover the file to its end"),
        one(#"{"dtype":"F32","shape":[2],"data_offsets":[0,7]}"#, 7, "\"w\"", "8 bytes for shape [2] of F32"),
        one(#"{"dtype":"F32","shape":[3],"data_offsets":[0,8]}"#, 8, "\"w\"", "12 bytes for shape [3] of F32"),
        one(#"{"dtype":"F32","shape":[1],"data_offsets":[0,8]}"#, 8, "\"w\"", "4 bytes for shape [1] of F32"),
        one(#"{"dtype":"F32","shape":[2],"data_offsets":[8,0]}"#, 8, "\"w\"", "[8, 0]", "begin <= end"),
        one(#"{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}"#, 8, "\"w\"", "0 <= begin"),
        one(#"{"dtype":"F32","shape":[2],"data_offsets":[0,9223372036854775807]}"#, 8, "\"w\"", "<= 8"),
        one(#"{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551624]}"#, 8, "\"w\"", "two integers"),
        one(#"{"dtype":"F32","shape":[2],"data_offsets":[0,8.0]}"#, 8, "\"w\"", "two integers"),
        one(#"{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}"#, 8, "\"w\"", "two integers"),
        one(#"{"dtype":"F32","shape":[2]}"#, 8, "\"w\"", "data_offsets is missing"),
        one(#"{"dtype":"F32","data_offsets":[0,8]}"#, 8, "\"w\"", "shape is missing"),
        one(#"{"shape":[2],"data_offsets":[0,8]}"#, 8, "\"w\"", "dtype is missing", "one of F64, F32"),
        one(#"{"dtype":"F33","shape":[2],"data_offsets":[0,8]}"#, 8, "\"w\"", "dtype is \"F33\"", "one of F64, F32"),
        one(#"{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}"#, 8, "\"w\"", "-2", "integers from 0"),
        one(#"{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}"#, 0, "\"w\"", "overflows"),
        one(#"{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,0]}"#, 0, "\"w\"", "integers from 0"),
        one(
            #"{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}"#,
            4,
            "\"w\"",
            "at most 16"
        ),
        one(#"{"dtype":"F32","shape":[2],"data_offsets":[0,8],"strides":[1]}"#, 8, "\"w\"", "\"strides\"", "only"),
        one("7", 0, "\"w\"", "is 7", "an object with dtype"),
        Corrupt(
            header:
                #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}}"#,
            bufferCount: 7,
            says: ["\"b\": overlaps \"a\"", "begin at 4"]
        ),
        Corrupt(
            header:
                #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[2],"data_offsets":[5,7]}}"#,
            bufferCount: 7,
            says: ["\"b\": leaves a hole", "begin at 4"]
        ),
        Corrupt(
            header: #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[1,5]}}"#,
            bufferCount: 5,
            says: ["\"a\": leaves a hole", "begin at 0"]
        ),
        Corrupt(
            header:
                #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#,
            bufferCount: 2,
            says: ["\"a\" occurs twice"]
        ),
        Corrupt(
            header: #"{"__metadata__":{"format":1}}"#,
            bufferCount: 0,
            says: ["__metadata__", "\"format\" is 1", "a string"]
        ),
        Corrupt(header: #"{"__metadata__":"pt"}"#, bufferCount: 0, says: ["__metadata__", "an object of strings"]),
        Corrupt(header: " {}", bufferCount: 0, says: ["does not start with '{'"]),
        Corrupt(header: "[]", bufferCount: 0, says: ["does not start with '{'"]),
        Corrupt(header: "", bufferCount: 0, says: ["does not start with '{'"]),
        Corrupt(header: "{}", bufferCount: 1, says: ["end at byte 10 of 11"]),
        Corrupt(header: "{", bufferCount: 0, says: ["not JSON", "at byte 9"]),
        Corrupt(header: "{}}", bufferCount: 0, says: ["not JSON", "after the end"]),
        Corrupt(header: #"{"a":NaN}"#, bufferCount: 0, says: ["not JSON"]),
        Corrupt(
            header: String(repeating: "{\"a\":", count: 10_000),
            bufferCount: 0,
            says: ["nested more than 64 deep"]
        ),
    ]

    @Test(arguments: corrupt)
    func namesFileTensorAndExpectation(_ corrupt: Corrupt) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("bad.safetensors", Self.file(corrupt.header, bufferCount: corrupt.bufferCount))
        let error = try #require(throws: ModelFileError.self) { try SafetensorsFile(path: path) }
        #expect(error.kind == .malformed)
        #expect(error.description.hasPrefix(path + ": "))
        for words in corrupt.says {
            #expect(error.description.contains(words), "\(error) should say: \(words)")
        }
    }

    static func file(_ header: String, bufferCount: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init) + Array(header.utf8)
            + (0..<bufferCount).map { UInt8(truncatingIfNeeded: $0) }
    }

    @Test(arguments: [0, 1, 7])
    func tooShortForALength(count: Int) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("short.safetensors", [UInt8](repeating: 0, count: count))
        let error = try #require(throws: ModelFileError.self) { try SafetensorsFile(path: path) }
        #expect(
            error.description
                == "\(path): truncated: \(count) bytes; expected at least the 8 bytes of the header's length"
        )
    }

    @Test(arguments: [3, 100_000_001, UInt64(Int.max), UInt64(Int.max) + 1, .max])
    func headerLengthsBeyondTheFile(length: UInt64) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            "long.safetensors",
            withUnsafeBytes(of: length.littleEndian, Array.init) + Array("{}".utf8)
        )
        let error = try #require(throws: ModelFileError.self) { try SafetensorsFile(path: path) }
        #expect(
            error.description == "\(path): the header's length is \(length); expected at most 2, in a file of 10 bytes"
        )
    }

    @Test func whatIsNoFile() throws {
        let folder = try TemporaryFolder()
        let missing = try #require(throws: ModelFileError.self) { try SafetensorsFile(path: folder.path("none")) }
        #expect(missing.kind == .inaccessible)
        #expect(missing.description == "\(folder.path("none")): cannot open: No such file or directory")
        let directory = try #require(throws: ModelFileError.self) { try SafetensorsFile(path: folder.path) }
        #expect(directory.description == "\(folder.path): not a regular file")
        #expect(mkfifo(folder.path("pipe"), 0o600) == 0)
        let pipe = try #require(throws: ModelFileError.self) { try SafetensorsFile(path: folder.path("pipe")) }
        #expect(pipe.description == "\(folder.path("pipe")): not a regular file")
    }

    /// Any damage to a valid file gives an error or a file whose every byte can be read: never a crash.
    @Test func damagedFilesNeverCrash() throws {
        let folder = try TemporaryFolder()
        var writer = SafetensorsWriter()
        writer.metadata = ["format": "pt"]
        writer.add("a.weight", dtype: .bf16, shape: [30, 5], floats: (0..<150).map(Float.init))
        writer.add("b.weight", dtype: .f32, shape: [2, 2], floats: [1, 2, 3, 4])
        writer.add("c", dtype: .u8, shape: [0], bytes: [])
        let valid = try writer.serialized()
        var random = SeededGenerator(seed: 20)
        var opened = 0
        for round in 0..<4000 {
            var bytes = valid
            if round % 4 == 0 {
                bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
            } else {
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
            }
            let path = try folder.write("damaged.safetensors", bytes)
            let file: SafetensorsFile
            do {
                file = try SafetensorsFile(path: path)
            } catch {
                #expect(error.file == path && !error.problem.isEmpty)
                continue
            }
            opened += 1
            for tensor in file.tensors {
                #expect(tensor.bytes.reduce(0) { $0 &+ Int($1) } >= 0)
                if tensor.dtype.isWeightType { #expect(tensor.floats().count == tensor.elementCount) }
            }
        }
        // Flips in the weights are not detectable; those in names neither. Both outcomes must occur, or the loop tests nothing.
        #expect(opened > 500 && opened < 3500, "\(opened)")
    }

    /// Truncation at every length of a valid file is noticed.
    @Test func everyTruncationIsRefused() throws {
        let folder = try TemporaryFolder()
        var writer = SafetensorsWriter()
        writer.add("w", shape: [4], floats: [1, 2, 3, 4])
        let valid = try writer.serialized()
        for count in valid.indices {
            let path = try folder.write("short.safetensors", valid[..<count])
            #expect(throws: ModelFileError.self) { try SafetensorsFile(path: path) }
        }
    }
}
