// Writing safetensors files: what this module reads, it can also make.

import Glibc
import JSON

/// Collects tensors and writes them as one safetensors file.
///
/// Tensors are laid out by falling element size and then by name, as the reference implementation does, so that every one
/// is aligned; the header is padded so that the first begins on a cache line. The same tensors give the same bytes.
public struct SafetensorsWriter: Sendable {
    /// Strings for the header's `__metadata__`.
    public var metadata: [String: String] = [:]

    private struct Entry: Sendable {
        var name: String
        var dtype: DType
        var shape: [Int]
        var bytes: [UInt8]
    }

    private var entries: [Entry] = []
    private static let dataAlignment = 64

    public init() {}

    /// Adds a tensor given as the little-endian bytes of its elements, row-major.
    /// - Precondition: the name is new and not `__metadata__`, and `bytes` has the length of `shape` and `dtype`.
    public mutating func add(_ name: String, dtype: DType, shape: [Int], bytes: [UInt8]) {
        precondition(name != SafetensorsHeader.metadataKey, "\(name) is the name of the metadata")
        precondition(!entries.contains { ExactKey(text: $0.name) == ExactKey(text: name) }, "\(name) added twice")
        precondition(
            shape.allSatisfy { $0 >= 0 } && SafetensorsHeader.byteCount(shape: shape, dtype: dtype) == bytes.count,
            "\(name): \(bytes.count) bytes for shape \(shape) of \(dtype.rawValue)"
        )
        entries.append(Entry(name: name, dtype: dtype, shape: shape, bytes: bytes))
    }

    /// Adds f32 values as f32, f16 or bf16, rounded to nearest, ties to even.
    /// - Precondition: as for the bytes, and `dtype.isWeightType`.
    public mutating func add(_ name: String, dtype: DType = .f32, shape: [Int], floats: [Float]) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(floats.count * dtype.byteCount)
        for value in floats {
            switch dtype {
            case .f32: Self.append(value.bitPattern, to: &bytes)
            case .f16: Self.append(Float16(value).bitPattern, to: &bytes)
            case .bf16: Self.append(Self.bfloat16(value), to: &bytes)
            case .f64, .i64, .i32, .i16, .i8, .u8, .bool: preconditionFailure("\(dtype) is no weight type")
            }
        }
        add(name, dtype: dtype, shape: shape, bytes: bytes)
    }

    /// Writes the file, by way of a neighbour that is renamed when complete: readers see the old file or the new one.
    /// - Throws: `.inaccessible` with the system's own words.
    public func write(to path: String) throws(ModelFileError) {
        func failure(_ call: String) -> ModelFileError {
            ModelFileError(.inaccessible, file: path, problem: "\(call): \(String(cString: strerror(errno)))")
        }
        let temporary = "\(path).\(getpid()).partial"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure("cannot create") }
        defer { close(descriptor) }
        let sorted = sortedEntries
        guard Self.write(header(of: sorted), to: descriptor),
            sorted.allSatisfy({ Self.write($0.bytes, to: descriptor) }),
            fsync(descriptor) == 0,
            rename(temporary, path) == 0
        else {
            let error = failure("cannot write")
            unlink(temporary)
            throw error
        }
    }

    /// The bytes of the file.
    public func serialized() -> [UInt8] {
        let sorted = sortedEntries
        return header(of: sorted) + sorted.flatMap(\.bytes)
    }

    private var sortedEntries: [Entry] {
        entries.sorted { ($1.dtype.byteCount, $0.name) < ($0.dtype.byteCount, $1.name) }
    }

    private func header(of sorted: [Entry]) -> [UInt8] {
        var members: [String] = []
        if !metadata.isEmpty {
            let strings = metadata.sorted { $0.key < $1.key }.map { "\(Self.json($0.key)):\(Self.json($0.value))" }
            members.append("\"\(SafetensorsHeader.metadataKey)\":{\(strings.joined(separator: ","))}")
        }
        var begin = 0
        for entry in sorted {
            let end = begin + entry.bytes.count
            let shape = entry.shape.map(String.init).joined(separator: ",")
            members.append(
                "\(Self.json(entry.name)):{\"dtype\":\"\(entry.dtype.rawValue)\","
                    + "\"shape\":[\(shape)],\"data_offsets\":[\(begin),\(end)]}"
            )
            begin = end
        }
        var text = Array("{\(members.joined(separator: ","))}".utf8)
        let padding = (Self.dataAlignment - (8 + text.count) % Self.dataAlignment) % Self.dataAlignment
        text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: padding))
        var bytes: [UInt8] = []
        Self.append(UInt64(text.count), to: &bytes)
        return bytes + text
    }

    private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private static func bfloat16(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        if value.isNaN { return UInt16(bits >> 16) | 0x40 }  // rounding could turn a NaN into infinity
        return UInt16((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
    }

    private static func json(_ text: String) -> String {
        var json = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": json += "\\\""
            case "\\": json += "\\\\"
            case "\0"..<" ":
                let hex = String(scalar.value, radix: 16)
                json += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: json.unicodeScalars.append(scalar)
            }
        }
        return json + "\""
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let written = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if written < 0 {
                    if errno == EINTR { continue }
                    return false
                }
                rest = rest.dropFirst(written)
            }
            return true
        }
    }
}
