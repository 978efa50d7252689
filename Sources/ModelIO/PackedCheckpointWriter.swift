// Makes a packed checkpoint of one of plain numbers: every file of the new folder. What packs the numbers is given.

import JSON

/// Writes a copy of a checkpoint with packed matrices.
///
/// The copy has the same files and tensor names: `config.json` with a ``Quantization``, the index, a shard for each chain, and
/// what the server needs besides (the tokenizer). One matrix at a time is in memory. The same checkpoint gives the same bytes.
public struct PackedCheckpointWriter: ~Copyable {
    /// Writes a matrix as panels over the zeros of a buffer of their length.
    ///
    /// Returns the first element, if any, that is beyond `format`'s ``PackedFormat/largestMagnitude`` or no number.
    public typealias Pack =
        @Sendable (_ matrix: TensorView, _ format: PackedFormat, _ panels: UnsafeMutableRawBufferPointer) -> Int?

    private let source: Checkpoint
    /// Of the copy.
    public let configuration: ModelConfiguration
    private let config: [UInt8]
    private var folder: NewFolder

    /// Checks that the checkpoint can be packed so, and begins the folder `output`.
    /// - Precondition: all chains of `source` are loaded.
    /// - Throws: if it is packed already, has widths that the format does not take, or something is in `output`.
    public init(_ source: Checkpoint, as target: Quantization, output: String) throws(ModelFileError) {
        precondition(source.chainCount == source.configuration.chainCount, "all chains of \(source.folder)")
        if let present = source.configuration.quantization {
            throw ModelFileError(
                .unsupported,
                file: source.folder,
                problem: "is packed already, as \(present.format.rawValue)",
                expectation: "the original model: quantising what was rounded once rounds it twice"
            )
        }
        let path = source.folder + "/" + ModelConfiguration.fileName
        try target.check(source.configuration, file: path, item: "chains")
        let config = try Self.config(MappedFile(path: path), adding: target)
        let configuration = try config.withUnsafeBufferPointer { text throws(ModelFileError) in
            try ModelConfiguration(text: UnsafeRawBufferPointer(text), file: path)
        }
        folder = try NewFolder(path: output)
        self.source = source
        self.config = config
        self.configuration = configuration
    }

    /// Bytes of the copy's weights.
    public var byteCount: Int {
        names.reduce(0) { sum, name in
            let dtype = name.isMatrix ? DType.u8 : (try? source.weight(name).dtype) ?? .f32
            return sum + name.storedShape(in: configuration).reduce(dtype.byteCount, *)
        }
    }

    private var names: [TensorName] {
        (0..<configuration.chainCount).flatMap {
            TensorName.all(ofChain: $0 + TensorName.firstChain, in: configuration)
        }
    }

    // MARK: Writing

    /// Writes all files and moves the folder to its place.
    /// - Parameter progress: told after every tensor how many of the ``byteCount`` bytes are written.
    public consuming func write(
        pack: @escaping Pack,
        progress: (Int) -> Void = { _ in }
    ) throws(ModelFileError) {
        var done = 0
        for chain in TensorName.firstChain..<TensorName.firstChain + configuration.chainCount {
            let shard = try shard(chain, pack: pack)
            let path = folder.path(to: TensorName.fileName(ofChain: chain, of: configuration.chainCount))
            try shard.write(to: path) { progress(done + $0) }
            done += shard.byteCount
        }
        try folder.write(Checkpoint.indexFileName, Checkpoint.indexText(of: configuration, totalBytes: done))
        for name in try NewFolder.fileNames(in: source.folder) where Self.isCopied(name) {
            let file = try MappedFile(path: source.folder + "/" + name)
            defer { withExtendedLifetime(file) {} }
            try folder.write(name, file.bytes)
        }
        // Last, as no folder is a model without it.
        try folder.write(ModelConfiguration.fileName, config)
        try folder.commit()
    }

    private func shard(_ chain: Int, pack: @escaping Pack) throws(ModelFileError) -> SafetensorsWriter {
        var writer = SafetensorsWriter()
        let path = source.files[chain - TensorName.firstChain].path
        for name in TensorName.all(ofChain: chain, in: configuration) {
            let tensor = try source.weight(name)
            if let format = name.packing(in: configuration) {
                writer.add(name.description, dtype: .u8, shape: name.storedShape(in: configuration)) {
                    panels throws(ModelFileError) in
                    guard let element = pack(tensor, format, panels) else { return }
                    throw Self.refusal(of: tensor, element, limit: format.largestMagnitude, in: path)
                }
            } else {
                writer.add(name.description, dtype: tensor.dtype, shape: tensor.shape) {
                    (copy: UnsafeMutableRawBufferPointer) throws(ModelFileError) in
                    let limit = Float.greatestFiniteMagnitude
                    if let element = tensor.firstElement(beyond: limit, in: 0..<tensor.elementCount) {
                        throw Self.refusal(of: tensor, element, limit: limit, in: path)
                    }
                    copy.copyMemory(from: tensor.bytes)
                }
            }
        }
        return writer
    }

    private static func refusal(of tensor: TensorView, _ element: Int, limit: Float, in file: String) -> ModelFileError
    {
        var rest = element
        let place = tensor.shape.reversed().map { extent in
            defer { rest /= extent }
            return rest % extent
        }
        return ModelFileError(
            .unsupported,
            file: file,
            item: tensor.name,
            problem: "has \(tensor.float(at: element)) at \(place.reversed().map { $0 })",
            expectation: limit == .greatestFiniteMagnitude
                ? "finite numbers" : "finite numbers of a size up to \(limit), as the format holds no larger ones"
        )
    }

    /// What belongs to the model besides the weights: the tokenizer and settings, and the terms it comes under. Not what was
    /// written about the original (README, plots), nor what is written anew.
    private static func isCopied(_ name: String) -> Bool {
        if [ModelConfiguration.fileName, Checkpoint.indexFileName].contains(name) { return false }
        return [".json", ".jinja", ".txt", ".model"].contains { name.hasSuffix($0) }
            || ["LICENSE", "NOTICE"].contains { name.hasPrefix($0) }
    }

    /// The original's text with the quantization as its first member, and everything else as it was.
    private static func config(_ file: MappedFile, adding target: Quantization) throws(ModelFileError) -> [UInt8] {
        var json = JSONWriter()
        json.raw("{\n  \"quantization\": {\"format\": ")
        json.string(target.format.rawValue)
        json.raw(", \"head_format\": ")
        json.string(target.headFormat.rawValue)
        json.raw(", \"group_size\": ")
        json.integer(PackedFormat.group)
        json.raw(", \"panel\": ")
        json.integer(PackedFormat.panel)
        json.raw(", \"version\": ")
        json.integer(Quantization.version)
        json.raw("},")
        guard let brace = file.bytes.firstIndex(of: UInt8(ascii: "{")) else { return Array(file.bytes) }
        return json.bytes + file.bytes[(brace + 1)...]
    }
}
