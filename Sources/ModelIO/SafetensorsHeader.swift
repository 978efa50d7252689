// The head of a safetensors file: https://github.com/huggingface/safetensors#format
//
//     8 bytes     N, unsigned little-endian
//     N bytes     JSON, starting with '{', maybe padded with spaces:
//                 {"NAME": {"dtype": "F16", "shape": [2, 3], "data_offsets": [BEGIN, END]}, "__metadata__": {..}, ...}
//     the rest    the buffer that the offsets count in; the tensors cover it exactly, without holes or overlaps
//
// Every number in here is a claim by whoever made the file. Nothing is allocated, added or multiplied on its word alone.

import JSON

/// The parsed and checked header of a safetensors file.
struct SafetensorsHeader: Sendable {
    /// Where one tensor lies.
    struct Entry: Sendable {
        var name: String
        var dtype: DType
        var shape: [Int]
        /// Byte offsets into the file, inside it.
        var range: Range<Int>
    }

    /// As in the reference implementation: a larger header is an attack, not a model.
    static let byteLimit = 100_000_000
    /// More extents than any model has.
    static let rankLimit = 16
    static let metadataKey = "__metadata__"

    /// In the order of their bytes in the file.
    private(set) var entries: [Entry] = []
    private(set) var metadata: [String: String] = [:]

    private let file: String
    /// Where the buffer begins in the file.
    private let bufferStart: Int
    private let bufferCount: Int

    /// Reads and checks the header of the file `bytes`; `file` is its path, for messages.
    init(_ bytes: UnsafeRawBufferPointer, file: String) throws(ModelFileError) {
        self.file = file
        guard bytes.count >= 8 else {
            throw ModelFileError(
                .malformed,
                file: file,
                problem: "truncated: \(bytes.count) bytes",
                expectation: "at least the 8 bytes of the header's length"
            )
        }
        let claimed = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        let most = min(Self.byteLimit, bytes.count - 8)
        guard claimed <= most else {
            throw ModelFileError(
                .malformed,
                file: file,
                problem: "the header's length is \(claimed)",
                expectation: "at most \(most), in a file of \(bytes.count) bytes"
            )
        }
        bufferStart = 8 + Int(claimed)
        bufferCount = bytes.count - bufferStart
        let text = UnsafeRawBufferPointer(rebasing: bytes[8..<bufferStart])
        guard text.first == UInt8(ascii: "{") else {
            throw ModelFileError(.malformed, file: file, problem: "the header does not start with '{'")
        }
        let members: [(key: String, value: JSONValue)]
        do {
            members = try JSONParser.parse(text, of: "the header").object?.members ?? []
        } catch {
            throw ModelFileError(
                .malformed,
                file: file,
                problem: "the header is not JSON: \(error.problem) at byte \(8 + error.offset)"
            )
        }
        for (name, value) in members {
            if name == Self.metadataKey {
                metadata = try readMetadata(value)
            } else {
                entries.append(try readEntry(name, value))
            }
        }
        entries.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
        try checkCoverage()
    }

    private func malformed(_ item: String?, _ problem: String, _ expectation: String? = nil) -> ModelFileError {
        ModelFileError(.malformed, file: file, item: item, problem: problem, expectation: expectation)
    }

    private func readMetadata(_ value: JSONValue) throws(ModelFileError) -> [String: String] {
        guard let object = value.object else {
            throw malformed(Self.metadataKey, "is \(value.summary)", "an object of strings")
        }
        var metadata: [String: String] = [:]
        for (key, value) in object.members {
            guard let text = value.string else {
                throw malformed(Self.metadataKey, "\(quoted(key)) is \(value.summary)", "a string")
            }
            metadata[key] = text
        }
        return metadata
    }

    private func readEntry(_ name: String, _ value: JSONValue) throws(ModelFileError) -> Entry {
        let item = quoted(name)
        guard let object = value.object else {
            throw malformed(item, "is \(value.summary)", "an object with dtype, shape and data_offsets")
        }
        let known: Set = ["dtype", "shape", "data_offsets"]
        if let stranger = object.members.first(where: { !known.contains($0.key) }) {
            throw malformed(item, "has the member \(quoted(stranger.key))", "dtype, shape and data_offsets only")
        }
        guard let dtypeName = object["dtype"]?.string, let dtype = DType(rawValue: dtypeName) else {
            let names = DType.allCases.map(\.rawValue).joined(separator: ", ")
            throw malformed(item, "dtype is \(object["dtype"]?.summary ?? "missing")", "one of \(names)")
        }
        let shape = try readShape(object["shape"], item: item)
        let range = try readRange(object["data_offsets"], item: item)
        guard let byteCount = Self.byteCount(shape: shape, dtype: dtype) else {
            throw malformed(item, "shape \(shape) of \(dtypeName) overflows", "a tensor of less than 2^63 bytes")
        }
        guard range.count == byteCount else {
            throw malformed(
                item,
                "data_offsets span \(range.count) bytes",
                "\(byteCount) bytes for shape \(shape) of \(dtypeName)"
            )
        }
        return Entry(name: name, dtype: dtype, shape: shape, range: range)
    }

    private func readShape(_ value: JSONValue?, item: String) throws(ModelFileError) -> [Int] {
        guard let values = value?.array else {
            throw malformed(item, "shape is \(value?.summary ?? "missing")", "a list of integers")
        }
        guard values.count <= Self.rankLimit else {
            throw malformed(item, "shape has \(values.count) extents", "at most \(Self.rankLimit)")
        }
        var shape: [Int] = []
        for value in values {
            guard let extent = value.int, extent >= 0 else {
                throw malformed(item, "shape has the extent \(value.summary)", "integers from 0 to 2^63 - 1")
            }
            shape.append(extent)
        }
        return shape
    }

    private func readRange(_ value: JSONValue?, item: String) throws(ModelFileError) -> Range<Int> {
        guard let values = value?.array, values.count == 2, let begin = values[0].int, let end = values[1].int else {
            throw malformed(item, "data_offsets is \(value?.summary ?? "missing")", "two integers, begin and end")
        }
        guard 0 <= begin, begin <= end, end <= bufferCount else {
            throw malformed(
                item,
                "data_offsets are [\(begin), \(end)]",
                "0 <= begin <= end <= \(bufferCount), the bytes after the header"
            )
        }
        return bufferStart + begin..<bufferStart + end
    }

    /// Every byte of the buffer belongs to exactly one tensor: nothing read twice, nothing hidden between.
    private func checkCoverage() throws(ModelFileError) {
        var covered = bufferStart
        for (position, entry) in entries.enumerated() {
            guard entry.range.lowerBound == covered else {
                let overlaps = entry.range.lowerBound < covered
                let previous = position > 0 ? "the end of \(quoted(entries[position - 1].name))" : "the buffer's start"
                throw malformed(
                    quoted(entry.name),
                    overlaps ? "overlaps \(quoted(entries[position - 1].name))" : "leaves a hole before it",
                    "data_offsets to begin at \(covered - bufferStart), \(previous)"
                )
            }
            covered = entry.range.upperBound
        }
        guard covered == bufferStart + bufferCount else {
            throw malformed(
                nil,
                "the tensors end at byte \(covered) of \(bufferStart + bufferCount)",
                "tensors to cover the file to its end"
            )
        }
    }

    /// Bytes of a tensor; nil on overflow. An extent of 0 makes 0, whatever the others are.
    static func byteCount(shape: [Int], dtype: DType) -> Int? {
        if shape.contains(0) { return 0 }
        var count = dtype.byteCount
        for extent in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: extent)
            if overflow { return nil }
            count = product
        }
        return count
    }
}
