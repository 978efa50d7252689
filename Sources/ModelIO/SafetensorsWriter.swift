// Writing safetensors files: what this module reads, it can also make.

import Glibc
import JSON

/// Collects tensors and writes them as one safetensors file.
///
/// Tensors are laid out by falling element size and then by name, as the reference implementation does, so that every one
/// is aligned; the header is padded so that the first begins on a cache line. The same tensors give the same bytes.
///
/// A tensor is given as its bytes, or as a closure that makes them when the file is written. Then one tensor at a time is in
/// memory, however large the file:
///
/// ```
/// var writer = SafetensorsWriter()
/// writer.add("w", dtype: .bf16, shape: [4096, 4096]) { buffer in fill(buffer) }
/// try writer.write(to: "w.safetensors") { bar.update($0) }
/// ```
public struct SafetensorsWriter: Sendable {
    /// Strings for the header's `__metadata__`.
    public var metadata: [String: String] = [:]

    /// Writes the little-endian bytes of a tensor's elements, row-major, over the zeros of a buffer of the tensor's length.
    public typealias Fill = @Sendable (UnsafeMutableRawBufferPointer) throws(ModelFileError) -> Void

    private struct Entry: Sendable {
        enum Content: Sendable {
            case bytes([UInt8])
            case fill(Fill)
        }

        var name: String
        var dtype: DType
        var shape: [Int]
        var byteCount: Int
        var content: Content
    }

    private var entries: [Entry] = []
    private static let dataAlignment = 64

    public init() {}

    /// Adds a tensor given as the little-endian bytes of its elements, row-major.
    /// - Precondition: the name is new and not `__metadata__`, and `bytes` has the length of `shape` and `dtype`.
    public mutating func add(_ name: String, dtype: DType, shape: [Int], bytes: [UInt8]) {
        add(name, dtype: dtype, shape: shape, content: .bytes(bytes))
        precondition(
            entries[entries.count - 1].byteCount == bytes.count,
            "\(name): \(bytes.count) bytes for shape \(shape) of \(dtype.rawValue)"
        )
    }

    /// Adds a tensor whose bytes `fill` makes whenever the file is written.
    /// - Precondition: the name is new and not `__metadata__`.
    public mutating func add(_ name: String, dtype: DType, shape: [Int], fill: @escaping Fill) {
        add(name, dtype: dtype, shape: shape, content: .fill(fill))
    }

    private mutating func add(_ name: String, dtype: DType, shape: [Int], content: Entry.Content) {
        precondition(name != SafetensorsHeader.metadataKey, "\(name) is the name of the metadata")
        precondition(!entries.contains { ExactKey(text: $0.name) == ExactKey(text: name) }, "\(name) added twice")
        guard shape.allSatisfy({ $0 >= 0 }), let count = SafetensorsHeader.byteCount(shape: shape, dtype: dtype) else {
            preconditionFailure("\(name): no tensor has the shape \(shape) of \(dtype.rawValue)")
        }
        entries.append(Entry(name: name, dtype: dtype, shape: shape, byteCount: count, content: content))
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

    /// Bytes of all tensors together.
    public var byteCount: Int { entries.reduce(0) { $0 + $1.byteCount } }

    /// Writes the file, by way of a neighbour that is renamed when complete: readers see the old file or the new one.
    /// - Parameter progress: told after every tensor how many of the ``byteCount`` bytes are written.
    /// - Throws: `.inaccessible` with the system's own words, or what a tensor's closure throws.
    public func write(to path: String, progress: (Int) -> Void = { _ in }) throws(ModelFileError) {
        let temporary = "\(path).\(getpid()).partial"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw ModelFileError(failed: "cannot create", path) }
        defer { close(descriptor) }
        do throws(ModelFileError) {
            let sorted = sortedEntries
            let head = header(of: sorted)
            guard head.withUnsafeBytes({ writeAll($0, to: descriptor) }) else {
                throw ModelFileError(failed: "cannot write", path)
            }
            var written = 0
            try forEachTensor(of: sorted) { bytes throws(ModelFileError) in
                guard writeAll(bytes, to: descriptor) else { throw ModelFileError(failed: "cannot write", path) }
                written += bytes.count
                progress(written)
            }
            guard fsync(descriptor) == 0, rename(temporary, path) == 0 else {
                throw ModelFileError(failed: "cannot write", path)
            }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// The bytes of the file.
    /// - Throws: what a tensor's closure throws.
    public func serialized() throws(ModelFileError) -> [UInt8] {
        let sorted = sortedEntries
        var bytes = header(of: sorted)
        try forEachTensor(of: sorted) { bytes += $0 }
        return bytes
    }

    /// Shows the bytes of one tensor after the other, in one buffer as long as the longest.
    private func forEachTensor(
        of sorted: [Entry],
        _ body: (UnsafeRawBufferPointer) throws(ModelFileError) -> Void
    ) throws(ModelFileError) {
        let longest = sorted.reduce(0) { max($0, $1.byteCount) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: longest, alignment: Self.dataAlignment)
        defer { buffer.deallocate() }
        for entry in sorted {
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<entry.byteCount])
            switch entry.content {
            case .bytes(let bytes):
                target.copyBytes(from: bytes)
            case .fill(let fill):
                target.initializeMemory(as: UInt8.self, repeating: 0)
                try fill(target)
            }
            try body(UnsafeRawBufferPointer(target))
        }
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
            let end = begin + entry.byteCount
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
}
