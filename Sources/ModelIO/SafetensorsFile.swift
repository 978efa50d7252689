// A safetensors file, mapped and checked once; its tensors by name.

import JSON

/// An open safetensors file. Every tensor it lists lies inside the file, has the length its shape says, and shares no byte
/// with another.
///
/// Opening costs the header only; weights are paged in when they are first read.
public final class SafetensorsFile: Sendable {
    public let path: String
    /// The `__metadata__` strings of the file.
    public let metadata: [String: String]
    /// All tensors in the order of their bytes in the file.
    public let tensors: [TensorView]
    /// Size of the file in bytes.
    public var byteCount: Int { mapping.bytes.count }

    private let mapping: MappedFile
    private let index: [ExactKey: Int]

    /// Maps and checks the file at `path`.
    /// - Throws: ``ModelFileError`` that names the file, the tensor and what would be right.
    public init(path: String) throws(ModelFileError) {
        let mapping = try MappedFile(path: path)
        let header = try SafetensorsHeader(mapping.bytes, file: path)
        self.path = path
        self.mapping = mapping
        metadata = header.metadata
        tensors = header.entries.map { entry in
            TensorView(
                name: entry.name,
                dtype: entry.dtype,
                shape: entry.shape,
                bytes: UnsafeRawBufferPointer(rebasing: mapping.bytes[entry.range]),
                owner: mapping
            )
        }
        // The JSON parser has refused duplicate names.
        index = Dictionary(uniqueKeysWithValues: tensors.indices.map { (ExactKey(text: header.entries[$0].name), $0) })
    }

    /// The tensor called `name`, nil if the file has none.
    public subscript(name: String) -> TensorView? { index[ExactKey(text: name)].map { tensors[$0] } }

    /// Asks the system to read the whole file ahead of its first use. Returns at once.
    public func prefetch() { mapping.prefetch() }
}
